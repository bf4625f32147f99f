// Keeps the page of a run as it is now. Without this script a page shows how things were when it was opened.
"use strict";
(() => {
  const followed = document.querySelector("[data-follow]");
  if (!followed || !window.EventSource) return;
  const run = encodeURIComponent(followed.dataset.follow);
  let waiting = null;
  // What a fold is known by from one page to the next.
  const named = (fold) => fold?.dataset.key ?? fold?.querySelector("summary")?.textContent;
  const refresh = async () => {
    waiting = null;
    const answer = await fetch(location.href, { headers: { accept: "text/html" }, credentials: "same-origin" });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of document.querySelectorAll("[data-live]")) {
      const now = fresh.querySelector(`[data-live="${part.dataset.live}"]`);
      if (!now) continue;
      // What somebody has opened or closed stays so.
      const open = new Map([...part.querySelectorAll("details")].map((one) => [named(one), one.open]));
      for (const one of now.querySelectorAll("details")) one.open = open.get(named(one)) ?? one.open;
      // What somebody is about to use is left alone; what they open and close is not used up by that.
      const used = part.contains(document.activeElement) && document.activeElement.tagName !== "SUMMARY";
      if (used || part.innerHTML === now.innerHTML) continue;
      const at = part.contains(document.activeElement) ? named(document.activeElement.closest("details")) : null;
      part.innerHTML = now.innerHTML;
      for (const one of part.querySelectorAll("details")) if (named(one) === at) one.querySelector("summary")?.focus({ preventScroll: true });
    }
    if (!fresh.querySelector("[data-follow]")) source.close();
  };
  const soon = () => { waiting ??= setTimeout(refresh, 400); };
  const source = new EventSource(`/api/v1/runs/${run}/events`);
  source.onmessage = soon;
  for (const kind of ["event", "node_started", "node_succeeded", "node_failed", "approval_requested", "approval_decided", "run_paused", "run_succeeded", "run_failed", "run_rejected", "run_cancelled", "rewound", "run_sealed"]) source.addEventListener(kind, soon);
})();

// Keeps the page of a run as it is now. Without this script a page shows how things were when it was opened.
"use strict";
(() => {
  const followed = document.querySelector("[data-follow]");
  if (!followed || !window.EventSource) return;
  const run = encodeURIComponent(followed.dataset.follow);
  let waiting = null;
  const refresh = async () => {
    waiting = null;
    const answer = await fetch(location.href, { headers: { accept: "text/html" }, credentials: "same-origin" });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of document.querySelectorAll("[data-live]")) {
      const now = fresh.querySelector(`[data-live="${part.dataset.live}"]`);
      // What somebody is about to use is left alone.
      if (now && !part.contains(document.activeElement) && part.innerHTML !== now.innerHTML) part.innerHTML = now.innerHTML;
    }
    if (!fresh.querySelector("[data-follow]")) source.close();
  };
  const soon = () => { waiting ??= setTimeout(refresh, 400); };
  const source = new EventSource(`/api/v1/runs/${run}/events`);
  source.onmessage = soon;
  for (const kind of ["event", "node_started", "node_succeeded", "node_failed", "approval_requested", "approval_decided", "run_paused", "run_succeeded", "run_failed", "run_rejected", "run_cancelled", "rewound", "run_sealed"]) source.addEventListener(kind, soon);
})();

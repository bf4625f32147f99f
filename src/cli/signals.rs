//! Ctrl-C and SIGTERM: the first asks the driver to stop, the second ends the program.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::exit::Exit;

/// Turns true at the first signal. Needs a runtime.
pub(super) fn stop() -> watch::Receiver<bool> {
    let (sender, receiver) = watch::channel(false);
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        return receiver;
    };
    tokio::spawn(async move {
        let mut asked = false;
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if asked {
                leave();
            }
            asked = true;
            sender.send_replace(true);
        }
    });
    receiver
}

#[expect(
    clippy::exit,
    clippy::disallowed_methods,
    reason = "the user asked twice; the journal is safe at any moment"
)]
fn leave() -> ! {
    std::process::exit(i32::from(Exit::INTERRUPTED.code()))
}

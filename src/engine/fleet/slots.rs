//! [`Slots`]: how many nodes run at the same time over all runs of a process, and whose turn it is.
//!
//! Every run is sure of its share, the slots divided by the runs that want some. What one does not
//! use, others may have; they give it back as their nodes end, and whoever waits below its share is
//! served first, in the order in which they began to wait.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::Notify;

/// The slots of a process.
#[derive(Debug)]
pub(super) struct Slots {
    total: usize,
    members: Mutex<Members>,
}

#[derive(Debug, Default)]
struct Members {
    next: u64,
    ticket: u64,
    all: BTreeMap<u64, Member>,
}

#[derive(Debug)]
struct Member {
    held: usize,
    /// Since when it wants more than it has.
    wants: Option<u64>,
    freed: Arc<Notify>,
}

/// One run's part of the slots; what it held is free again when this is dropped.
#[derive(Debug)]
pub struct Lease {
    slots: Arc<Slots>,
    member: u64,
    freed: Arc<Notify>,
}

impl Slots {
    pub(super) fn new(total: usize) -> Arc<Self> {
        Arc::new(Self {
            total: total.max(1),
            members: Mutex::default(),
        })
    }

    /// A new run that may take slots.
    pub(super) fn lease(self: &Arc<Self>) -> Lease {
        let freed = Arc::new(Notify::new());
        let mut members = self.members();
        let member = members.next;
        members.next += 1;
        let held = Member {
            held: 0,
            wants: None,
            freed: Arc::clone(&freed),
        };
        members.all.insert(member, held);
        Lease {
            slots: Arc::clone(self),
            member,
            freed,
        }
    }

    /// Slots that are taken now.
    pub(super) fn taken(&self) -> usize {
        self.members().taken()
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        self.members.lock().expect("no holder panics")
    }
}

impl Members {
    fn taken(&self) -> usize {
        self.all.values().map(|member| member.held).sum()
    }

    fn wake(&self) {
        for member in self.all.values().filter(|member| member.wants.is_some()) {
            member.freed.notify_one();
        }
    }
}

impl Lease {
    /// How many of the wanted attempts may begin, besides those that run already. Whoever gets fewer
    /// is woken by [`Lease::freed`] when it is worth asking again.
    pub(crate) fn ask(&self, running: usize, wanted: usize) -> usize {
        let mut members = self.slots.members();
        let total = self.slots.total;
        let Some(own) = members.all.get_mut(&self.member) else {
            return wanted;
        };
        // What changes for the others, who then ask again.
        let gave_back = own.held > running;
        let mut changed = gave_back || (own.wants.is_some() && wanted == 0);
        own.held = running;
        // Whoever has had its turn stands at the end again.
        own.wants = own.wants.filter(|_| wanted > 0 && !gave_back);
        let since = own.wants;
        let mut granted = 0;
        if wanted > 0 {
            let taken = members.taken();
            let in_it = |member: &&Member| member.held > 0 || member.wants.is_some();
            let others = members.all.iter().filter(|(id, _)| **id != self.member);
            let sharers = 1 + others.clone().filter(|(_, other)| in_it(other)).count();
            let share = total.div_ceil(sharers);
            let above = running >= share;
            let ahead = others
                .filter(|(_, other)| other.held < share)
                .filter_map(|(_, other)| other.wants)
                .filter(|theirs| above || since.is_none_or(|mine| *theirs < mine))
                .count();
            let free = total.saturating_sub(taken).saturating_sub(ahead);
            granted = free.min(wanted);
            let ticket = members.ticket;
            members.ticket += 1;
            if let Some(own) = members.all.get_mut(&self.member) {
                own.held += granted;
                own.wants = (granted < wanted).then(|| since.unwrap_or(ticket));
            }
            changed |= granted > 0;
        }
        if changed && members.taken() < total {
            members.wake();
        }
        granted
    }

    /// Ends when slots were given back since the last time.
    pub(crate) async fn freed(&self) {
        self.freed.notified().await;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut members = self.slots.members();
        members.all.remove(&self.member);
        members.wake();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn whoever_waits_below_its_share_comes_first() {
        let slots = Slots::new(4);
        let (a, b) = (slots.lease(), slots.lease());
        assert_eq!(a.ask(0, 10), 4, "alone it has all");
        assert_eq!(b.ask(0, 10), 0);
        // One node of `a` ends: it wants more, and does not get it.
        assert_eq!(a.ask(3, 10), 0);
        assert_eq!(b.ask(0, 10), 1);
        assert_eq!(a.ask(2, 10), 0);
        assert_eq!(b.ask(1, 10), 1);
        assert_eq!((a.ask(1, 10), slots.taken()), (1, 4), "each has its share");
        drop(a);
        assert_eq!(b.ask(2, 10), 2);
    }

    #[test]
    fn more_runs_than_slots_take_turns() {
        let slots = Slots::new(1);
        let runs: Vec<Lease> = (0..3).map(|_| slots.lease()).collect();
        assert_eq!(runs[0].ask(0, 2), 1);
        assert_eq!(runs[1].ask(0, 2), 0);
        assert_eq!(runs[2].ask(0, 2), 0);
        // The first has its node done and asks again: it is behind the others now.
        assert_eq!(runs[0].ask(0, 1), 0);
        assert_eq!(runs[2].ask(0, 2), 0, "the second waits longer");
        assert_eq!(runs[1].ask(0, 2), 1);
        // Who wants nothing any more stands in nobody's way.
        assert_eq!(runs[2].ask(0, 0), 0);
        assert_eq!(runs[1].ask(0, 0), 0);
        assert_eq!(runs[0].ask(0, 1), 1);
    }

    proptest! {
        /// Never more than there are, and nobody waits for ever.
        #[test]
        fn slots_are_neither_lost_nor_made(
            total in 1..6_usize,
            steps in prop::collection::vec((0..4_usize, 0..4_usize, 0..5_usize), 1..80),
        ) {
            let slots = Slots::new(total);
            let runs: Vec<Lease> = (0..4).map(|_| slots.lease()).collect();
            let mut running = [0_usize; 4];
            for (at, ends, wanted) in steps {
                running[at] = running[at].saturating_sub(ends);
                running[at] += runs[at].ask(running[at], wanted);
                prop_assert!(running.iter().sum::<usize>() <= total);
                prop_assert_eq!(slots.taken(), running.iter().sum::<usize>());
            }
            for run in &runs {
                run.ask(0, 0);
            }
            prop_assert_eq!(slots.taken(), 0);
            // All want one, again and again, one at a time: each gets one within as many turns as there are runs.
            let mut served = [0_usize; 4];
            let mut held = [0_usize; 4];
            for _ in 0..4 {
                for at in 0..4 {
                    held[at] = runs[at].ask(0, 1);
                    served[at] += held[at];
                }
            }
            prop_assert!(served.iter().all(|count| *count > 0), "{served:?}");
        }
    }
}

//! When what of a plan is due.

use crate::plan::Plan;

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// The end of a fault comes before what else is due then.
    End(usize),
    /// A fault begins.
    Begin(usize),
    /// Someone does something.
    Act(usize),
}

/// What is due, the next last.
#[derive(Debug)]
pub(super) struct Timetable(Vec<(u64, Due)>);

impl Timetable {
    /// A plan's.
    pub(super) fn new(plan: &Plan) -> Self {
        let ops = plan.ops.iter().enumerate().map(|(number, op)| (op.at, Due::Act(number)));
        let faults = plan.faults.iter().enumerate();
        let begins = faults.clone().map(|(number, fault)| (fault.at, Due::Begin(number)));
        let ends = faults.map(|(number, fault)| (fault.until, Due::End(number)));
        let mut all: Vec<_> = ops.chain(begins).chain(ends).collect();
        all.sort_unstable_by(|a, b| b.cmp(a));
        Self(all)
    }

    /// The next that is due by now.
    pub(super) fn next(&mut self, now: u64) -> Option<Due> {
        self.0.pop_if(|(at, _)| *at <= now).map(|(_, due)| due)
    }
}

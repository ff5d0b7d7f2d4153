//! When what of a plan is due.

use crate::plan::Plan;

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// The end of a fault comes before what else is due then.
    End(usize),
    /// A fault begins.
    Begin(usize),
    /// The node that stays lost is lost.
    Lose,
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
        // One that takes no time would end before it began, and last for ever.
        let ends = faults.map(|(number, fault)| (fault.until.max(fault.at + 1), Due::End(number)));
        let lost = plan.lost.iter().map(|lost| (lost.at, Due::Lose));
        let mut all: Vec<_> = ops.chain(begins).chain(ends).chain(lost).collect();
        all.sort_unstable_by(|a, b| b.cmp(a));
        Self(all)
    }

    /// The next that is due by now.
    pub(super) fn next(&mut self, now: u64) -> Option<Due> {
        self.0.pop_if(|(at, _)| *at <= now).map(|(_, due)| due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate;
    use crate::plan::{Fault, Harm};

    #[test]
    fn a_fault_that_takes_no_time_ends_after_it_began() {
        let faults = vec![Fault { at: 5, until: 5, harm: Harm::RedisStall }];
        let plan = Plan { faults, ops: Vec::new(), lost: None, ..generate::plan(0) };
        let mut timetable = Timetable::new(&plan);
        let due: Vec<_> = std::iter::from_fn(|| timetable.next(u64::MAX)).collect();
        assert_eq!(due, [Due::Begin(0), Due::End(0)]);
    }
}

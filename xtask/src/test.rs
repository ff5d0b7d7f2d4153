//! Everything that CI runs, in an order in which a cheap failure comes early.

use crate::report::Report;
use crate::{budget, chaos, codegen, e2e, lint, readme, sim, unit, web};

/// Runs every check and test; a failure does not keep the others from running.
pub(crate) fn run(report: &Report) {
    lint::rust(report);
    codegen_check(report);
    web::build(report);
    web::lint(report);
    budget::check(report);
    unit::run(report);
    sim::check(report);
    web::unit(report);
    e2e::hub(report);
    readme::check(report);
    chaos::short(report, &e2e::hub_binary());
    e2e::run(report, None, &[]);
}

/// Whether the committed types are those of `protocol`.
pub(crate) fn codegen_check(report: &Report) {
    report.step("codegen", "comparing the page's types with protocol", codegen::check);
}

/// Writes the types.
pub(crate) fn codegen_write(report: &Report) {
    report.step("codegen", "writing the page's types from protocol", codegen::write);
}

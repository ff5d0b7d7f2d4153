//! The cluster in containers: its secrets, the hub for its quick image, and the test that runs all of it.

mod engine;
mod secrets;
mod stand_ins;
mod test;

use crate::cli::{ComposeArgs, ComposeCommand, ComposeTestArgs};
use crate::cmd::Cmd;
use crate::report::{self, Outcome, Report};
use crate::{host, run, setup, web};
use anyhow::{Result, bail};
use engine::Engine;
use std::fs;

/// Where the Dockerfile's target `prebuilt` looks for the hub.
const PREBUILT: &str = "target/image/hub";

/// Does what the command line says.
pub(crate) fn run(report: &Report, args: &ComposeArgs) -> Result<()> {
    match args.command {
        ComposeCommand::Env => {
            report::line(&secrets::keep(&host::root().join(".env"))?);
            Ok(())
        }
        ComposeCommand::Prebuilt => {
            prebuilt(report);
            if report.close() { Ok(()) } else { bail!("there is no hub for the image") }
        }
    }
}

/// Builds the hub outside, for an image that only takes it.
fn prebuilt(report: &Report) {
    run::build_all(report, "release");
    report.step_after(&["hub"], "prebuilt", "putting the hub where the image takes it", || {
        let place = host::root().join(PREBUILT);
        fs::create_dir_all(place.parent().expect("it lies in a folder"))?;
        let strip = Cmd::new("strip").args(["--strip-debug", "-o"]).arg(&place);
        strip.arg(run::binary("release")).quiet("prebuilt")?;
        Ok(Outcome::Told(PREBUILT.to_owned()))
    });
}

/// The test of docker-compose.yml: everything for real, on the engine of this machine. Without an engine
/// it is skipped.
pub(crate) fn test(report: &Report, args: &ComposeTestArgs) {
    let mut found = None;
    report.step("engine", "looking for a container engine", || {
        let Some(engine) = Engine::find()? else {
            let reason = "no container engine answers `docker info`: install docker.io, or start it";
            return Ok(Outcome::Skipped(reason.to_owned()));
        };
        let told = engine.told();
        found = Some(engine);
        Ok(Outcome::Told(told))
    });
    let Some(engine) = found else { return };
    let mut needed = vec!["browser"];
    report.step("browser", "looking for Chromium", setup::browser);
    if args.stand_ins {
        report.step("debootstrap", "looking for what makes stand-ins", setup::debootstrap);
        for image in stand_ins::ALL {
            let what = format!("making {} out of Debian's packages", image.name);
            report.step_after(&["debootstrap"], image.step, &what, || image.make());
            needed.push(image.step);
        }
    }
    if args.inside {
        web::packages(report);
        needed.push("npm");
    } else {
        prebuilt(report);
        needed.push("prebuilt");
    }
    let what = "the cluster of docker-compose.yml";
    report.step_after(&needed, "compose", what, || test::run(&engine, args));
}

/// `docker`, with these arguments.
fn docker(args: &[&str]) -> Cmd {
    Cmd::new("docker").args(args)
}

//! Installs Debian packages: as root, by sudo if it asks for no password, else not at all.

use crate::cmd::Cmd;
use crate::host;
use anyhow::{Result, bail};

/// Whether this is Debian or its kin.
pub(super) fn is_here() -> bool {
    host::which("apt-get").is_some()
}

/// Installs packages.
///
/// # Errors
/// With the command to run by hand, when this user may not install or it did not work.
pub(super) fn install(packages: &[&str]) -> Result<()> {
    let by_hand = format!("sudo apt-get install -y --no-install-recommends {}", packages.join(" "));
    let prefix: &[&str] = if is_root()? {
        &[]
    } else if Cmd::new("sudo").args(["-n", "true"]).succeeds() {
        &["sudo", "-n"]
    } else {
        bail!("Debian packages are missing and this user may not install them; run: {by_hand}");
    };
    // A list that cannot be renewed may still serve.
    if let Err(error) = apt(prefix, &["update", "-q"]).quiet("apt-update") {
        crate::report::line(&format!("  apt-get update failed, going on with the lists there are: {error}"));
    }
    let args = ["install", "-qy", "--no-install-recommends"];
    match apt(prefix, &args).args(packages).quiet("apt-install") {
        Ok(()) => Ok(()),
        Err(error) => bail!("{error:#}\nfailed to install Debian packages; run: {by_hand}"),
    }
}

fn apt(prefix: &[&str], args: &[&str]) -> Cmd {
    let command = [prefix, &["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]].concat();
    Cmd::new(command[0]).args(&command[1..]).args(["-o", "DPkg::Lock::Timeout=120"]).args(args)
}

fn is_root() -> Result<bool> {
    Ok(Cmd::new("id").arg("-u").read()? == "0")
}

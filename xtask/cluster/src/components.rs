//! What a cluster is made of, by name.

use std::fmt;
use std::str::FromStr;

/// A part of a cluster that is a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Component {
    /// The store.
    Postgres,
    /// The broker.
    Redis,
    /// A node, counted from one.
    Hub(usize),
    /// The proxy in front.
    Nginx,
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Postgres => f.pad("postgres"),
            Self::Redis => f.pad("redis"),
            Self::Hub(number) => f.pad(&format!("hub-{number}")),
            Self::Nginx => f.pad("nginx"),
        }
    }
}

impl FromStr for Component {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "postgres" => Ok(Self::Postgres),
            "redis" => Ok(Self::Redis),
            "nginx" => Ok(Self::Nginx),
            _ => match name.strip_prefix("hub-").map(str::parse) {
                Some(Ok(number)) if number > 0 => Ok(Self::Hub(number)),
                _ => Err(format!("{name} is none of postgres, redis, nginx, hub-1, hub-2, …")),
            },
        }
    }
}

/// How a component stands, with its process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It answers as one that can be used.
    Serving(u32),
    /// It runs, and cannot be used.
    Running(u32),
    /// It is halted (SIGSTOP).
    Halted(u32),
    /// It does not run.
    Down,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Serving(pid) => write!(f, "serving (process {pid})"),
            Self::Running(pid) => write!(f, "running, but does not serve (process {pid})"),
            Self::Halted(pid) => write!(f, "halted (process {pid})"),
            Self::Down => f.write_str("down"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_is_read_as_it_is_written() {
        for component in [Component::Postgres, Component::Redis, Component::Hub(12), Component::Nginx] {
            assert_eq!(component.to_string().parse(), Ok(component));
        }
        for name in ["", "hub", "hub-", "hub-0", "hub--1", "hub-x", "Redis"] {
            assert!(name.parse::<Component>().is_err(), "{name}");
        }
    }
}

//! The page's size budgets, measured on `web/dist` as the hub serves it: brotli where the build
//! wrote `.br`, plain where it did not.

use crate::host;
use crate::report::{self, Outcome, Report};
use anyhow::{Context, Result, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Most bytes of the wasm client.
const WASM_BYTES_MAX: u64 = 70_000;
/// Most bytes of everything that the first load of the page fetches.
const FIRST_LOAD_BYTES_MAX: u64 = 180_000;

/// Measures the built page.
pub(crate) fn check(report: &Report) {
    report.step_after(&["page"], "budget", "measuring what the first load fetches", || {
        let files = read(&host::root().join("web/dist"))?;
        let first_load = first_load(&files)?;
        let mut rows: Vec<(&String, u64)> =
            first_load.iter().map(|name| (name, files[name].served)).collect();
        rows.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
        for (name, bytes) in &rows {
            report::line(&format!("  {bytes:>8} {name}"));
        }
        let wasm = rows.iter().filter(|(name, _)| name.ends_with(".wasm")).map(|(_, bytes)| bytes).sum();
        let all = rows.iter().map(|(_, bytes)| bytes).sum();
        judge(wasm, all)
    });
}

fn judge(wasm: u64, all: u64) -> Result<Outcome> {
    let text = format!(
        "wasm {:.1} KB of {}, first load {:.1} KB of {}",
        wasm as f64 / 1000.0,
        WASM_BYTES_MAX / 1000,
        all as f64 / 1000.0,
        FIRST_LOAD_BYTES_MAX / 1000
    );
    if wasm > WASM_BYTES_MAX || all > FIRST_LOAD_BYTES_MAX {
        bail!("over budget: {text}");
    }
    Ok(Outcome::Told(text))
}

/// A file of the built page.
struct Asset {
    /// Bytes on the wire.
    served: u64,
    /// Its text, where it may refer to other files.
    text: Option<String>,
}

/// Every file of the built page by its path below `dist`.
fn read(dist: &Path) -> Result<BTreeMap<String, Asset>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![dist.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("failed to read {}", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(dist).expect("it lies below").to_string_lossy().into_owned();
            if name.ends_with(".br") || name.ends_with(".gz") {
                continue;
            }
            let compressed = fs::metadata(dist.join(format!("{name}.br")));
            let served = compressed.or_else(|_| fs::metadata(&path))?.len();
            let is_text = [".html", ".js", ".css"].iter().any(|end| name.ends_with(end));
            let text = if is_text { Some(fs::read_to_string(&path)?) } else { None };
            files.insert(name, Asset { served, text });
        }
    }
    Ok(files)
}

/// The files that a browser fetches to show the page, from `index.html` on.
fn first_load(files: &BTreeMap<String, Asset>) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    let mut pending = vec!["index.html".to_owned()];
    while let Some(name) = pending.pop() {
        let asset = files.get(&name).with_context(|| format!("{name} is missing from web/dist"))?;
        if !found.insert(name.clone()) {
            continue;
        }
        let Some(text) = &asset.text else { continue };
        pending.extend(files.keys().filter(|other| **other != name && fetches(&name, text, other)).cloned());
    }
    if !found.iter().any(|name| name.ends_with(".wasm")) {
        bail!("nothing that the first load fetches leads to the wasm client");
    }
    Ok(found)
}

/// Whether a file fetches another one without being asked to: a script may name what it loads
/// only later, so there only static imports, workers and wasm count.
fn fetches(name: &str, text: &str, other: &str) -> bool {
    let file = other.rsplit('/').next().unwrap_or(other);
    let script = name.ends_with(".js");
    text.match_indices(file).any(|(at, _)| {
        let before = text[..at].trim_end_matches(|c: char| c.is_alphanumeric() || "./_-".contains(c));
        let is_whole_name = text[..at].ends_with(['/', '"', '\'', '`', '(']);
        let statement = before.trim_end_matches(['"', '\'', '`', ' ']);
        let imported =
            before.len() != statement.len() && (statement.ends_with("from") || statement.ends_with("import"));
        let loaded_by_itself =
            other.ends_with(".wasm") || (file.contains("worker") && !statement.ends_with("import("));
        is_whole_name && (!script || imported || loaded_by_itself)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(files: &[(&str, u64, &str)]) -> BTreeMap<String, Asset> {
        files
            .iter()
            .map(|(name, served, text)| {
                ((*name).to_owned(), Asset { served: *served, text: Some((*text).to_owned()) })
            })
            .collect()
    }

    #[test]
    fn the_first_load_is_what_the_page_fetches_by_itself() {
        let files = page(&[
            (
                "index.html",
                1,
                r#"<script src="/assets/index-a1.js"></script><link href="/assets/index-a1.css">"#,
            ),
            (
                "assets/index-a1.js",
                1,
                r#"import{a as b}from"./chunk-b2.js";const d=["assets/emoji-c3.js"];import("./emoji-c3.js");new SharedWorker("/assets/worker-d4.js")"#,
            ),
            ("assets/index-a1.css", 1, "@font-face{src:url(/assets/inter-e5.woff2)}"),
            ("assets/inter-e5.woff2", 1, ""),
            ("assets/other-e6.woff2", 1, ""),
            ("assets/chunk-b2.js", 1, r#"import"./side-f6.js";"#),
            ("assets/side-f6.js", 1, ""),
            ("assets/emoji-c3.js", 1, ""),
            ("assets/worker-d4.js", 1, r#"new URL("/assets/client_bg-07.wasm",import.meta.url)"#),
            ("assets/client_bg-07.wasm", 1, ""),
        ]);
        let found = first_load(&files).unwrap();
        let expected = [
            "assets/chunk-b2.js",
            "assets/client_bg-07.wasm",
            "assets/index-a1.css",
            "assets/index-a1.js",
            "assets/inter-e5.woff2",
            "assets/side-f6.js",
            "assets/worker-d4.js",
            "index.html",
        ];
        assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_page_without_the_client_is_no_measure() {
        let files = page(&[("index.html", 1, "")]);
        assert!(first_load(&files).unwrap_err().to_string().contains("wasm"));
    }

    #[test]
    fn over_budget_fails() {
        assert!(judge(WASM_BYTES_MAX, FIRST_LOAD_BYTES_MAX).is_ok());
        assert!(judge(WASM_BYTES_MAX + 1, FIRST_LOAD_BYTES_MAX).is_err());
        assert!(judge(WASM_BYTES_MAX, FIRST_LOAD_BYTES_MAX + 1).is_err());
    }

    #[test]
    fn what_is_not_compressed_counts_in_full() {
        let dist = host::state_dir().join("budget-test");
        fs::create_dir_all(&dist).unwrap();
        fs::write(dist.join("a.js"), "12345").unwrap();
        fs::write(dist.join("b.js"), "12345").unwrap();
        fs::write(dist.join("b.js.br"), "12").unwrap();
        let files = read(&dist).unwrap();
        assert_eq!((files["a.js"].served, files["b.js"].served, files.len()), (5, 2, 2));
    }
}

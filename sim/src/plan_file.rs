//! Plans as files, which a person can read and cut.

use crate::plan::Plan;
use anyhow::Context;
use std::path::Path;

impl Plan {
    /// Reads a plan's file.
    ///
    /// # Errors
    /// When it cannot be read, or is no plan.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("failed to read the plan {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is no plan", path.display()))
    }

    /// Writes a plan's file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(path, self.to_text())
            .with_context(|| format!("failed to write the plan {}", path.display()))
    }

    /// The file's text: one operation and one fault a line, so that a person can read and cut it.
    #[must_use]
    pub fn to_text(&self) -> String {
        let json = |value: serde_json::Result<String>| value.unwrap_or_default();
        let lines = |items: Vec<String>| {
            if items.is_empty() { "[]".to_owned() } else { format!("[\n    {}\n  ]", items.join(",\n    ")) }
        };
        let ops = self.ops.iter().map(|op| json(serde_json::to_string(op))).collect();
        let faults = self.faults.iter().map(|fault| json(serde_json::to_string(fault))).collect();
        let bug = self.bug.as_ref().map(|bug| format!("  \"bug\": {},\n", json(serde_json::to_string(bug))));
        let bug = bug.unwrap_or_default();
        let lost =
            self.lost.as_ref().map(|lost| format!(",\n  \"lost\": {}", json(serde_json::to_string(lost))));
        format!(
            "{{\n  \"story\": {},\n{bug}  \"seed\": {},\n  \"net_seed\": {},\n  \"topology\": {},\n  \"knobs\": {},\n  \
             \"ops\": {},\n  \"faults\": {}{}\n}}\n",
            json(serde_json::to_string(&self.story)),
            self.seed,
            self.net_seed,
            json(serde_json::to_string(&self.topology)),
            json(serde_json::to_string(&self.knobs)),
            lines(ops),
            lines(faults),
            lost.unwrap_or_default(),
        )
    }
}

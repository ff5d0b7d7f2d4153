//! Reads a Markdown document as sections and the words that stand in its code, inline and fenced.

use std::collections::BTreeSet;

struct Section {
    /// The words of its heading.
    names: BTreeSet<String>,
    /// The words in code up to the next heading of this level or above.
    words: BTreeSet<String>,
}

/// A document's sections.
pub(super) struct Document {
    sections: Vec<Section>,
    words: BTreeSet<String>,
}

impl Document {
    pub(super) fn read(text: &str) -> Self {
        let mut document = Self { sections: Vec::new(), words: BTreeSet::new() };
        // The sections that are open at a line, from the outermost: level and index.
        let mut open: Vec<(usize, usize)> = Vec::new();
        let mut fenced = false;
        for line in text.lines() {
            if line.trim_start().starts_with("```") {
                fenced = !fenced;
                continue;
            }
            if !fenced && line.starts_with('#') {
                let level = line.chars().take_while(|c| *c == '#').count();
                open.retain(|(other, _)| *other < level);
                open.push((level, document.sections.len()));
                document.sections.push(Section { names: words(line).collect(), words: BTreeSet::new() });
            }
            let code: Vec<String> =
                if fenced { words(line).collect() } else { spans(line).flat_map(words).collect() };
            for (_, index) in &open {
                document.sections[*index].words.extend(code.iter().cloned());
            }
            document.words.extend(code);
        }
        document
    }

    pub(super) fn has_section(&self, name: &str) -> bool {
        self.sections.iter().any(|section| section.names.contains(name))
    }

    /// Whether a section of this name holds the word in its code.
    pub(super) fn mentions_in(&self, section: &str, word: &str) -> bool {
        self.sections.iter().any(|one| one.names.contains(section) && one.words.contains(word))
    }

    /// Whether the document holds the word in its code, or a number anywhere.
    pub(super) fn mentions(&self, word: &str) -> bool {
        self.words.contains(word)
    }
}

/// What stands between backticks; a row of a table counts its numbers too.
fn spans(line: &str) -> impl Iterator<Item = &str> {
    let inline = line.split('`').skip(1).step_by(2);
    let numbers = words_of(line).filter(|word| word.chars().all(|c| c.is_ascii_digit()));
    inline.chain(numbers)
}

fn words_of(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

fn words(text: &str) -> impl Iterator<Item = String> {
    words_of(text).map(str::to_owned)
}

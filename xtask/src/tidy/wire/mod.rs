//! The wire types never change without `docs/PROTOCOL.md`: every frame, field, shared object,
//! value, error code and close code of `protocol`'s source stands there, in its own section.

mod doc;
mod source;

use super::{Tree, Violation};
use doc::Document;
use source::{Kind, Source};

const DOCUMENT: &str = "docs/PROTOCOL.md";
/// Where the wire types are written. `view.rs` is the page's and no part of the wire.
const SOURCES: [&str; 7] = ["close", "error", "event", "frame/client", "frame/server", "limits", "model"];

/// Compares the source with the document.
pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let mut source = Source::default();
    for name in SOURCES {
        let path = format!("protocol/src/{name}.rs");
        let Some(text) = tree.get(&path) else { continue };
        if let Err(error) = source.read(&path, text) {
            return vec![Violation::new(&path, 1, error)];
        }
    }
    if source.is_empty() {
        return Vec::new();
    }
    let Some(text) = tree.get(DOCUMENT) else {
        return vec![Violation::new(DOCUMENT, 1, "is missing: it specifies the wire protocol")];
    };
    let document = Document::read(text);
    if let Some(empty) = source.without_frames() {
        return vec![Violation::new(
            empty,
            1,
            "the tidy test finds no frames here: teach it how they are written",
        )];
    }
    let wire = source.wire();
    let unknown = wire.unknown.iter().map(|(at, text)| Violation::new(&at.path, at.line, text.clone()));
    let missing = wire.facts.iter().filter_map(|fact| {
        let text = match &fact.kind {
            Kind::Section { name } if !document.has_section(name) => {
                format!("`{name}` has no heading in {DOCUMENT}")
            }
            Kind::Field { section, name } if !document.mentions_in(section, name) => {
                format!("field `{name}` of `{section}` is not in its section of {DOCUMENT}")
            }
            Kind::Word { word, what } if !document.mentions(word) => {
                format!("{what} `{word}` is not in {DOCUMENT}")
            }
            Kind::Section { .. } | Kind::Field { .. } | Kind::Word { .. } => return None,
        };
        Some(Violation::new(&fact.at.path, fact.at.line, text))
    });
    unknown.chain(missing).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: &str = r##"
        #[serde(tag = "type", rename_all = "snake_case")]
        pub enum ClientMessage {
            /// Doc.
            SendMessage(SendMessage),
            Ping,
        }
        pub struct SendMessage {
            pub room_id: RoomId,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub reply_to: Option<Vec<BTreeMap<MessageId, ReplyTo>>>,
            pub role: Role,
        }
    "##;
    const SERVER: &str = "server_messages! {
        control { /// Doc.
            Welcome(Hi), }
        events { NewMessage, }
    }
    pub struct Hi { pub version: u32 }";
    const EVENT: &str = r#"room_events! {
        /// Doc.
        NewMessage / "new_message" { /// Doc.
            content: String, /// Doc.
            reason: LeaveReason, }
    }
    #[serde(rename_all = "snake_case")] pub enum LeaveReason { ByForce }"#;
    const MODEL: &str = r#"
        pub struct ReplyTo { pub message_id: MessageId }
        #[serde(rename_all = "snake_case")] pub enum Role { SomeOwner }
        pub struct Unreachable { pub secret: u32 }
    "#;
    const ERROR: &str = r#"#[serde(rename_all = "snake_case")] pub enum ErrorCode { NotFound }"#;
    const CLOSE: &str = r#"close_codes! { /// Doc.
        Drain = 4000, "leaving"; }"#;
    const COMPLETE: &str = r#"
# Protocol
## Client
### `send_message`
`room_id`, `reply_to?`, and `role` (`some_owner`).
### `ping`
Nothing.
## Node
### `welcome`
```json
{"type": "welcome", "version": 1}
```
### `pong`
### Event `new_message`
`room_id`, `seq`, `content`, `reason`: `by_force`.
## Objects
### ReplyTo
`message_id`
## Errors
`not_found`; closes with 4000.
"#;

    fn found(client: &str, document: &str) -> Vec<String> {
        let tree = Tree::of(&[
            ("protocol/src/frame/client.rs", client),
            ("protocol/src/frame/server.rs", SERVER),
            ("protocol/src/event.rs", EVENT),
            ("protocol/src/model.rs", MODEL),
            ("protocol/src/error.rs", ERROR),
            ("protocol/src/close.rs", CLOSE),
            (DOCUMENT, document),
        ]);
        check(&tree).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_complete_document_is_fine() {
        assert_eq!(found(CLIENT, COMPLETE), Vec::<String>::new());
    }

    #[test]
    fn whatever_the_document_lacks_is_found() {
        for (part, expected) in [
            ("### `send_message`", "`send_message` has no heading"),
            ("### `ping`", "`ping` has no heading"),
            ("### `welcome`", "`welcome` has no heading"),
            ("### `pong`", "`pong` has no heading"),
            ("### Event `new_message`", "`new_message` has no heading"),
            ("### ReplyTo", "`ReplyTo` has no heading"),
            ("`reply_to?`", "field `reply_to` of `send_message`"),
            ("\"version\"", "field `version` of `welcome`"),
            ("`seq`", "field `seq` of `new_message`"),
            ("`content`", "field `content` of `new_message`"),
            ("`message_id`", "field `message_id` of `ReplyTo`"),
            ("`some_owner`", "value of Role `some_owner`"),
            ("`by_force`", "value of LeaveReason `by_force`"),
            ("`not_found`", "value of ErrorCode `not_found`"),
            ("4000", "close code `4000`"),
        ] {
            let found = found(CLIENT, &COMPLETE.replacen(part, "", 1));
            assert!(found.iter().any(|one| one.contains(expected)), "{part}: {found:?}");
        }
    }

    #[test]
    fn a_new_field_or_frame_without_its_words_is_found() {
        let field = CLIENT.replace("pub role: Role,", "pub role: Role, pub urgent: bool,");
        assert!(found(&field, COMPLETE)[0].contains("field `urgent` of `send_message`"));
        let frame = CLIENT.replace("Ping,", "Ping, Shout,");
        assert!(found(&frame, COMPLETE)[0].contains("`shout` has no heading"));
    }

    #[test]
    fn a_word_in_prose_documents_nothing() {
        let document = COMPLETE.replace("`content`", "content");
        assert!(found(CLIENT, &document)[0].contains("field `content`"));
    }

    #[test]
    fn a_serde_attribute_that_this_test_does_not_know_is_found() {
        let client = CLIENT.replace(
            "#[serde(default, skip_serializing_if = \"Option::is_none\")]",
            "#[serde(rename = \"r\")]",
        );
        assert!(found(&client, COMPLETE)[0].contains("rename"), "{:?}", found(&client, COMPLETE));
    }

    #[test]
    fn frames_that_are_written_in_another_way_are_found() {
        let client = CLIENT.replace("ClientMessage", "FromClient");
        assert!(found(&client, COMPLETE)[0].contains("finds no frames"));
    }

    #[test]
    fn a_missing_document_is_found() {
        let tree = Tree::of(&[("protocol/src/error.rs", ERROR)]);
        assert!(check(&tree)[0].to_string().contains("is missing"));
    }
}

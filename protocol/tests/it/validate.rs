//! What people may write, and what they are told when they may not.

use protocol::limits;
use protocol::model::Anchor;
use protocol::validate::{
    FieldError, anchor, content, display_name, emoji, mentions, page_limit, password, room_name, topic,
    username,
};
use protocol::{ErrorCode, MessageNo};

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, FieldError>, code: ErrorCode, text: &str) {
    let error = result.expect_err(text);
    assert_eq!((error.code, error.to_string().as_str()), (code, text));
}

#[test]
fn a_message_is_not_blank_not_too_long_and_has_no_nul() {
    assert_eq!(content("hi"), Ok(()));
    assert_eq!(content(&"ä".repeat(8 * 1024)), Ok(()));
    refused(
        content(&format!("{}x", "ä".repeat(8 * 1024))),
        ErrorCode::TooLarge,
        "content is 16385 bytes, at most 16384 are allowed",
    );
    refused(content("a\0b"), ErrorCode::InvalidField, "content contains a NUL character");
    for blank in ["", " ", "\n\t", "\u{3000}"] {
        refused(content(blank), ErrorCode::InvalidField, "content is empty");
    }
}

#[test]
fn a_username_is_lower_case_and_plain() {
    for (text, name) in
        [("Ann", "ann"), (" bob.b-1_x ", "bob.b-1_x"), ("42", "42"), (&"a".repeat(32), &"a".repeat(32))]
    {
        assert_eq!(username(text).as_deref(), Ok(name));
    }
    refused(username("a"), ErrorCode::InvalidField, "username is 1 characters, 2 to 32 are allowed");
    refused(
        username(&"a".repeat(33)),
        ErrorCode::InvalidField,
        "username is 33 characters, 2 to 32 are allowed",
    );
    for text in ["ann b", "änn", "ann@x", "an\0n", "ann/x"] {
        refused(
            username(text),
            ErrorCode::InvalidField,
            "username may have letters a to z, digits, '.', '_' and '-' only",
        );
    }
    for text in [".ann", "_ann", "-ann"] {
        refused(username(text), ErrorCode::InvalidField, "username starts with a letter or a digit");
    }
    refused(username("ann."), ErrorCode::InvalidField, "username does not end with '.'");
}

#[test]
fn a_display_name_is_one_line() {
    assert_eq!(display_name("  Ann Ø  ").as_deref(), Ok("Ann Ø"));
    assert_eq!(display_name(&"é".repeat(64)), Ok("é".repeat(64)));
    refused(
        display_name(&"é".repeat(65)),
        ErrorCode::TooLarge,
        "display_name is 65 characters, at most 64 are allowed",
    );
    refused(display_name(" \t "), ErrorCode::InvalidField, "display_name is empty");
    refused(display_name("a\nb"), ErrorCode::InvalidField, "display_name contains a control character");
}

#[test]
fn a_password_has_a_length_and_nothing_else_is_asked_of_it() {
    assert_eq!(password("        "), Ok(()));
    assert_eq!(password(&"p".repeat(256)), Ok(()));
    refused(password("1234567"), ErrorCode::InvalidField, "password is 7 bytes, 8 to 256 are allowed");
    refused(
        password(&"p".repeat(257)),
        ErrorCode::InvalidField,
        "password is 257 bytes, 8 to 256 are allowed",
    );
}

#[test]
fn a_room_name_has_letters_of_any_script() {
    for (text, name) in
        [("#General", "general"), (" räume-1 ", "räume-1"), ("日本語", "日本語"), ("a_b", "a_b")]
    {
        assert_eq!(room_name(text).as_deref(), Ok(name));
    }
    refused(room_name(" # "), ErrorCode::InvalidField, "name is empty");
    assert_eq!(room_name(&"X".repeat(64)), Ok("x".repeat(64)));
    refused(room_name(&"x".repeat(65)), ErrorCode::TooLarge, "name is 65 characters, at most 64 are allowed");
    for text in ["a b", "a/b", "##x", "a.b", "🎉"] {
        refused(room_name(text), ErrorCode::InvalidField, "name may have letters, digits, '-' and '_' only");
    }
}

#[test]
fn a_topic_may_be_empty_and_is_one_line() {
    assert_eq!(topic("  ").as_deref(), Ok(""));
    assert_eq!(topic(&"t".repeat(250)), Ok("t".repeat(250)));
    refused(topic(&"t".repeat(251)), ErrorCode::TooLarge, "topic is 251 characters, at most 250 are allowed");
    refused(topic("a\rb"), ErrorCode::InvalidField, "topic contains a control character");
}

#[test]
fn an_emoji_is_short_and_no_text() {
    for text in ["🎉", "👩🏽‍👩🏻‍👧🏿‍👦🏾", "❤️", "🇩🇪", "1️⃣"] {
        assert_eq!(emoji(text), Ok(()), "{text}");
    }
    refused(emoji(""), ErrorCode::InvalidField, "emoji is empty");
    assert_eq!(emoji(&"🎉".repeat(16)), Ok(()));
    refused(emoji(&"🎉".repeat(17)), ErrorCode::TooLarge, "emoji is 68 bytes, at most 64 are allowed");
    for text in ["a", "é", "1", ":-)", "🎉 ", "🎉a", "\u{7}", "日"] {
        refused(emoji(text), ErrorCode::InvalidField, "emoji is not an emoji");
    }
}

#[test]
fn a_page_has_at_most_one_anchor() {
    let no = || Some(MessageNo(5));
    assert_eq!(anchor(None, None, None), Ok(Anchor::Latest));
    assert_eq!(anchor(no(), None, None), Ok(Anchor::Before(MessageNo(5))));
    assert_eq!(anchor(None, no(), None), Ok(Anchor::After(MessageNo(5))));
    assert_eq!(anchor(None, None, no()), Ok(Anchor::Around(MessageNo(5))));
    refused(anchor(no(), no(), None), ErrorCode::InvalidField, "before excludes after and around");
    refused(anchor(no(), None, no()), ErrorCode::InvalidField, "before excludes after and around");
    refused(anchor(None, no(), no()), ErrorCode::InvalidField, "after excludes around");
}

#[test]
fn a_page_has_between_one_and_the_most_entries() {
    assert_eq!(page_limit(None), Ok(50));
    assert_eq!(page_limit(Some(1)), Ok(1));
    assert_eq!(page_limit(Some(100)), Ok(100));
    refused(page_limit(Some(0)), ErrorCode::InvalidField, "limit is 0, 1 to 100 are allowed");
    refused(page_limit(Some(101)), ErrorCode::InvalidField, "limit is 101, 1 to 100 are allowed");
}

#[test]
fn mentions_are_names_after_an_at_sign() {
    for (text, names) in [
        ("@Ann, @bob: hi @ann", &["ann", "bob"][..]),
        ("mail@example.org @@cy x@dee", &[]),
        ("(@ann) \"@bob\"\n@cy", &["ann", "bob", "cy"]),
        ("thanks @ann.", &["ann"]),
        ("@bob-1_x.y-", &["bob-1_x.y"]),
        ("@ @a @änn", &[]),
        ("no names", &[]),
    ] {
        assert_eq!(mentions(text), names, "{text}");
    }
}

#[test]
fn mentions_are_bounded() {
    let text: String = (0..200).map(|n| format!("@user{n} ")).collect();
    let names = mentions(&text);
    assert_eq!(names.len(), limits::MENTIONS_MAX);
    assert_eq!(names.last().map(String::as_str), Some("user49"));
}

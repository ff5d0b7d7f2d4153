//! Typed numbers and names: what is taken, what is not, and what is said then.

use protocol::ids::MAX_SAFE_INTEGER;
use protocol::{ClientId, MessageNo, RoomId, Seq};

#[test]
fn numbers_are_read_up_to_what_javascript_reads_exactly() {
    for (text, value) in [("0", 0), ("7", 7), ("9007199254740991", MAX_SAFE_INTEGER)] {
        assert_eq!(serde_json::from_str::<RoomId>(text).unwrap(), RoomId(value));
        assert_eq!(text.parse::<RoomId>().unwrap(), RoomId(value));
    }
}

#[test]
fn other_numbers_are_refused_by_the_name_of_their_field() {
    for text in [
        "9007199254740992",
        "18446744073709551615",
        "18446744073709551616",
        "123456789012345678901234567890",
        "-1",
        "-9223372036854775809",
        "1.0",
        "1e3",
        "\"7\"",
        "true",
        "null",
        "[7]",
        "{}",
    ] {
        let error = serde_json::from_str::<MessageNo>(text).expect_err(text).to_string();
        assert!(error.contains("message_no: an integer from 0 to 9007199254740991"), "{text}: {error}");
    }
}

#[test]
fn numbers_in_paths_and_keys_are_digits_alone() {
    for text in ["", "+7", "-1", " 7", "7 ", "7.0", "0x7", "٧", "9007199254740992", "99999999999999999999"] {
        assert!(text.parse::<Seq>().is_err(), "{text:?}");
    }
    assert_eq!("007".parse::<Seq>(), Ok(Seq(7)));
}

#[test]
fn what_sql_stores_comes_back_and_negative_numbers_become_zero() {
    assert_eq!(Seq::from_i64(Seq(MAX_SAFE_INTEGER).as_i64()), Seq(MAX_SAFE_INTEGER));
    assert_eq!(Seq::from_i64(-5), Seq(0));
    assert_eq!(Seq(41).next(), Seq(42));
}

#[test]
fn names_of_sends_are_uuids_written_in_lower_case() {
    let text = "6f1c0a0e-3a4e-4d6c-9a43-0f8c5b9f7a11";
    let id: ClientId = text.parse().unwrap();
    assert_eq!(id.to_string(), text);
    assert_eq!(text.to_uppercase().parse(), Ok(id));
    assert_eq!(serde_json::to_string(&id).unwrap(), format!("\"{text}\""));
    for bad in
        ["", "6f1c0a0e", "6f1c0a0e-3a4e-4d6c-9a43-0f8c5b9f7a1g", "6f1c0a0e-3a4e-4d6c-9a43-0f8c5b9f7a111"]
    {
        assert!(bad.parse::<ClientId>().is_err(), "{bad:?}");
    }
}

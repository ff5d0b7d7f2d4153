//! Close codes and error codes: their numbers and what they ask of a client.

use protocol::close::may_reconnect;
use protocol::{CloseCode, ErrorCode};

#[test]
fn every_close_code_is_found_by_its_number_and_has_a_reason_that_fits_a_close_frame() {
    for code in CloseCode::ALL {
        assert_eq!(CloseCode::from_code(code.code()), Some(*code));
        assert!(!code.reason().is_empty() && code.reason().len() <= 123);
        assert_eq!(code.to_string(), format!("{} ({})", code.reason(), code.code()));
    }
    for number in [0, 1000, 1006, 3999, 4499, 4999, u16::MAX] {
        assert_eq!(CloseCode::from_code(number), None);
    }
}

#[test]
fn the_number_says_whether_to_come_back() {
    for code in CloseCode::ALL {
        assert!((4000..5000).contains(&code.code()), "{code}");
        assert_eq!(code.reconnects(), code.code() < 4500, "{code}");
    }
    assert!(may_reconnect(1000) && may_reconnect(1006) && may_reconnect(4499) && may_reconnect(5000));
    assert!(!may_reconnect(4500) && !may_reconnect(4999));
}

#[test]
fn only_errors_that_may_pass_are_transient() {
    let transient: Vec<_> = ErrorCode::ALL.iter().filter(|code| code.is_transient()).collect();
    assert_eq!(transient, [&ErrorCode::RateLimited, &ErrorCode::Unavailable, &ErrorCode::Internal]);
}

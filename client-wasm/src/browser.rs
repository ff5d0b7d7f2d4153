//! What the pump needs of the browser and of its host, declared once.

use protocol::client::Now;
use protocol::{ErrorCode, Timestamp};
use wasm_bindgen::prelude::*;

#[wasm_bindgen(typescript_custom_section)]
const HOST: &str = r"
/** What the client hands out. None of it may free the client before it returns. */
export interface Host {
  /** Something happened: a ClientEvent as JSON. */
  event(json: string): void;
  /** Keep a message of the outbox under its client_id. */
  put(clientId: string, entry: string): void;
  /** Forget a message of the outbox. */
  remove(clientId: string): void;
  /** Keep whose session it is and how far each room was told, in place of what was kept. */
  session(json: string): void;
  /** Exchange the refresh token, then call `setToken` or `tokenFailed`. */
  refresh(): void;
}
";

#[wasm_bindgen]
extern "C" {
    /// The object that takes what the client hands out.
    #[wasm_bindgen(typescript_type = "Host")]
    #[derive(Debug)]
    pub type Host;

    #[wasm_bindgen(method)]
    pub(crate) fn event(this: &Host, json: &str);
    #[wasm_bindgen(method)]
    pub(crate) fn put(this: &Host, client_id: &str, entry: &str);
    #[wasm_bindgen(method)]
    pub(crate) fn remove(this: &Host, client_id: &str);
    #[wasm_bindgen(method)]
    pub(crate) fn session(this: &Host, json: &str);
    #[wasm_bindgen(method)]
    pub(crate) fn refresh(this: &Host);

    #[wasm_bindgen(js_namespace = console, js_name = error)]
    fn console_error(text: &str);
    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn performance_now() -> f64;
    #[wasm_bindgen(js_namespace = crypto, js_name = getRandomValues)]
    fn get_random_values(bytes: &mut [u8]);
    #[wasm_bindgen(js_name = setTimeout)]
    pub(crate) fn set_timeout(callback: &js_sys::Function, delay_ms: f64) -> f64;
    #[wasm_bindgen(js_name = clearTimeout)]
    pub(crate) fn clear_timeout(id: f64);
}

/// The time by the clock that never goes back.
pub(crate) fn now() -> Now {
    Now(number(performance_now()))
}

/// The time by the wall clock.
pub(crate) fn wall_clock() -> Timestamp {
    Timestamp(number(js_sys::Date::now()))
}

/// Fresh entropy.
pub(crate) fn seed() -> [u8; 32] {
    let mut seed = [0; 32];
    get_random_values(&mut seed);
    seed
}

/// A JavaScript number as a count: what is negative or no number is zero.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast from a float saturates")]
pub(crate) const fn number(value: f64) -> u64 {
    value as u64
}

/// A refusal as it is thrown: JSON with `code`, `message` and `field`.
#[derive(serde::Serialize)]
pub(crate) struct Refusal<'a> {
    pub(crate) code: ErrorCode,
    pub(crate) message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) field: Option<&'a str>,
}

impl From<Refusal<'_>> for JsValue {
    fn from(refusal: Refusal<'_>) -> Self {
        protocol::encode(&refusal).into()
    }
}

/// Says what went wrong before a panic ends the module: the trap itself tells nothing.
pub(crate) fn report_panics() {
    std::panic::set_hook(Box::new(|panic| console_error(&panic.to_string())));
}

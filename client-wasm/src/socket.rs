//! One WebSocket of the browser, whose events go to the pump under the connection's name.

use crate::pump::Shared;
use protocol::client::ConnId;
use wasm_bindgen::prelude::*;
use web_sys::{CloseEvent, MessageEvent, WebSocket};

/// The close code that browsers give when there was none.
pub(crate) const CLOSE_ABNORMAL: u16 = 1006;

/// Dropping it closes the connection without another word.
pub(crate) struct Socket {
    socket: WebSocket,
    _on_open: Closure<dyn FnMut()>,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_close: Closure<dyn FnMut(CloseEvent)>,
}

impl Socket {
    /// Begins to open; none if the browser refuses the address.
    pub(crate) fn open(url: &str, conn: ConnId, pump: &Shared) -> Option<Self> {
        let socket = WebSocket::new_with_str(url, protocol::SUBPROTOCOL).ok()?;
        let on_open = Closure::new({
            let pump = pump.clone();
            move || pump.input(|client, now| client.handle_opened(conn, now))
        });
        let on_message = Closure::new({
            let pump = pump.clone();
            move |event: MessageEvent| {
                // The protocol has text frames only; another one is no frame that can be read.
                let text = event.data().as_string().unwrap_or_default();
                pump.input(|client, now| client.handle_frame(conn, &text, now));
            }
        });
        let on_close = Closure::new({
            let pump = pump.clone();
            move |event: CloseEvent| pump.closed(conn, event.code())
        });
        socket.set_onopen(Some(on_open.as_ref().unchecked_ref()));
        socket.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        socket.set_onclose(Some(on_close.as_ref().unchecked_ref()));
        Some(Self { socket, _on_open: on_open, _on_message: on_message, _on_close: on_close })
    }

    /// Sends a frame. On a connection that is gone meanwhile it is dropped: its close is on the way.
    pub(crate) fn send(&self, text: &str) {
        drop(self.socket.send_with_str(text));
    }

    /// Says goodbye.
    pub(crate) fn close(&self, code: u16, reason: &str) {
        drop(self.socket.close_with_code_and_reason(code, reason));
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.socket.set_onopen(None);
        self.socket.set_onmessage(None);
        self.socket.set_onclose(None);
        drop(self.socket.close());
    }
}

//! Drives the client: after each input it does what the client asks for, in that order, and sets the
//! one timer.

use crate::browser::{self, Host};
use crate::socket::{CLOSE_ABNORMAL, Socket};
use protocol::client::{Client, ConnId, Now, Output, Persist, Persisted};
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::Duration;
use wasm_bindgen::prelude::*;

/// Browsers keep a timer's delay in 32 bits of milliseconds; a longer one would fire at once.
const TIMER_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// A handle on the pump for the callbacks of the browser. After the pump is gone it does nothing.
#[derive(Clone)]
pub(crate) struct Shared(Weak<Pump>);

pub(crate) struct Pump {
    client: RefCell<Client>,
    /// At most two: the live one, and the next one on its way.
    sockets: RefCell<Vec<(ConnId, Socket)>>,
    url: String,
    host: Host,
    /// Outputs are being done: whoever brings an input meanwhile leaves its outputs to that.
    busy: Cell<bool>,
    /// The browser's timer and when it fires.
    timer: Cell<Option<(f64, Now)>>,
    on_timer: Closure<dyn FnMut()>,
    this: Shared,
}

impl Pump {
    pub(crate) fn new(client: Client, url: String, host: Host) -> Rc<Self> {
        Rc::new_cyclic(|weak| {
            let this = Shared(weak.clone());
            let on_timer = Closure::new({
                let this = this.clone();
                move || this.timer_fired()
            });
            Self {
                client: RefCell::new(client),
                sockets: RefCell::default(),
                url,
                host,
                busy: Cell::new(false),
                timer: Cell::new(None),
                on_timer,
                this,
            }
        })
    }

    /// Gives the client an input, then does what it asks for.
    pub(crate) fn input<R>(&self, input: impl FnOnce(&mut Client, Now) -> R) -> R {
        let result = input(&mut self.client.borrow_mut(), browser::now());
        self.settle();
        result
    }

    /// Looks at the client.
    pub(crate) fn look<R>(&self, look: impl FnOnce(&Client, Now) -> R) -> R {
        look(&self.client.borrow(), browser::now())
    }

    fn settle(&self) {
        if self.busy.replace(true) {
            return;
        }
        loop {
            // The borrow ends before the output is done: that may call for another input.
            let output = self.client.borrow_mut().poll_output();
            match output {
                Some(output) => self.act(output),
                None => break,
            }
        }
        self.busy.set(false);
        self.set_timer();
    }

    fn act(&self, output: Output) {
        match output {
            Output::Connect { conn } => self.connect(conn),
            Output::Send { conn, text } => {
                if let Some((_, socket)) = self.sockets.borrow().iter().find(|(id, _)| *id == conn) {
                    socket.send(&text);
                }
            }
            Output::Close { conn, code, reason } => {
                if let Some(socket) = self.take_socket(conn) {
                    socket.close(code, reason);
                }
            }
            Output::RefreshToken => self.host.refresh(),
            Output::Persist(Persist::OutboxPut(entry)) => {
                self.host.put(&entry.message.client_id.to_string(), &protocol::encode(&entry));
            }
            Output::Persist(Persist::OutboxRemove { client_id }) => self.host.remove(&client_id.to_string()),
            Output::Persist(Persist::Session { user_id, epoch, cursors }) => {
                let (user_id, epoch) = (Some(user_id), Some(epoch));
                let session = Persisted { user_id, epoch, cursors, outbox: Vec::new() };
                self.host.session(&protocol::encode(&session));
            }
            Output::Event(event) => self.host.event(&protocol::encode(&event)),
        }
    }

    fn connect(&self, conn: ConnId) {
        match Socket::open(&self.url, conn, &self.this) {
            Some(socket) => self.sockets.borrow_mut().push((conn, socket)),
            None => self.client.borrow_mut().handle_closed(conn, CLOSE_ABNORMAL, browser::now()),
        }
    }

    fn take_socket(&self, conn: ConnId) -> Option<Socket> {
        let mut sockets = self.sockets.borrow_mut();
        let at = sockets.iter().position(|(id, _)| *id == conn)?;
        Some(sockets.swap_remove(at).1)
    }

    fn set_timer(&self) {
        let due = self.client.borrow().poll_timeout();
        if self.timer.get().map(|(_, at)| at) == due {
            return;
        }
        self.stop_timer();
        let Some(due) = due else { return };
        let wait = due.since(browser::now()).min(TIMER_MAX).as_millis();
        let callback = self.on_timer.as_ref().unchecked_ref();
        self.timer.set(Some((browser::set_timeout(callback, wait as f64), due)));
    }

    fn stop_timer(&self) {
        if let Some((timer, _)) = self.timer.take() {
            browser::clear_timeout(timer);
        }
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        self.stop_timer();
    }
}

impl Shared {
    fn timer_fired(&self) {
        if let Some(pump) = self.0.upgrade() {
            pump.timer.set(None);
            pump.input(|client, now| client.handle_timeout(now));
        }
    }

    pub(crate) fn input(&self, input: impl FnOnce(&mut Client, Now)) {
        if let Some(pump) = self.0.upgrade() {
            pump.input(input);
        }
    }

    /// A connection is gone.
    pub(crate) fn closed(&self, conn: ConnId, code: u16) {
        if let Some(pump) = self.0.upgrade() {
            drop(pump.take_socket(conn));
            pump.input(|client, now| client.handle_closed(conn, code, now));
        }
    }
}

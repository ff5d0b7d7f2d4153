//! Links between devices and nodes: slow, in order, and cut in several ways.

use super::node::NodeEnd;
use super::plan::CutKind;
use super::world::{Due, NODES, World};
use protocol::CloseCode;
use protocol::client::ConnId;

/// A link between a device and a node.
pub(super) struct Link {
    pub(super) device: usize,
    pub(super) life: u64,
    pub(super) conn: ConnId,
    /// What passes; a link that lost both is dead.
    pub(super) to_node: bool,
    pub(super) to_client: bool,
    /// Frames keep their order on a link.
    node_at: u64,
    client_at: u64,
}

impl World {
    pub(super) fn connect(&mut self, device: usize, conn: ConnId) {
        let (user, life) = (self.devices[device].user, self.devices[device].life);
        self.last_conn += 1;
        let id = self.last_conn;
        self.devices[device].conns.insert(conn, id);
        let at = self.now;
        let link = Link { device, life, conn, to_node: true, to_client: true, node_at: at, client_at: at };
        self.links.insert(id, link);
        let up: Vec<usize> = (0..NODES).filter(|node| self.nodes[*node].up).collect();
        let delay = self.latency();
        let offline = self.devices[device].offline_until > self.now;
        if offline && self.chance(50) {
            // Nobody answers.
        } else if offline || up.is_empty() {
            self.after(delay, Due::ClientLoses(id, 1006));
        } else {
            let node = up[usize::try_from(self.random(up.len() as u64)).unwrap()];
            let end = NodeEnd::new(node, user, self);
            self.ends.insert(id, end);
            self.arm_session(id);
            self.after(delay, Due::Opened(id));
        }
    }

    pub(super) fn arm_session(&mut self, conn: u64) {
        let instant = self.instant();
        let Some(end) = self.ends.get_mut(&conn) else { return };
        let due = end.session.poll_timeout();
        if let Some(due) = due.filter(|due| end.wakes_at.is_none_or(|at| *due < at)) {
            end.wakes_at = Some(due);
            let delay = u64::try_from(due.saturating_duration_since(instant).as_millis()).unwrap();
            self.after(delay, Due::WakeSession(conn));
        }
    }

    pub(super) fn send_to_node(&mut self, device: usize, conn: ConnId, text: String) {
        let Some(id) = self.devices[device].conns.get(&conn).copied() else { return };
        let latency = self.latency();
        let Some(link) = self.links.get_mut(&id) else { return };
        link.node_at = link.node_at.max(self.now + latency);
        let delay = link.node_at - self.now;
        self.after(delay, Due::ToNode(id, text));
    }

    pub(super) fn send_to_client(&mut self, conn: u64, text: String) {
        let delay = self.delay_to_client(conn);
        self.after(delay, Due::ToClient(conn, text));
    }

    fn delay_to_client(&mut self, conn: u64) -> u64 {
        let latency = self.latency();
        let Some(link) = self.links.get_mut(&conn) else { return latency };
        link.client_at = link.client_at.max(self.now + latency);
        link.client_at - self.now
    }

    pub(super) fn close_from_client(&mut self, device: usize, conn: ConnId) {
        let Some(id) = self.devices[device].conns.remove(&conn) else { return };
        let latency = self.latency();
        if let Some(link) = self.links.get_mut(&id) {
            link.to_client = false;
            if link.to_node {
                let delay = link.node_at.max(self.now + latency) - self.now;
                self.after(delay, Due::NodeLoses(id));
            }
        }
    }

    pub(super) fn close_from_node(&mut self, conn: u64, code: CloseCode) {
        self.ends.remove(&conn);
        let delay = self.delay_to_client(conn);
        self.after(delay, Due::ClientLoses(conn, code.code()));
    }

    /// The client sees its connection end, after what is on the way to it or before.
    pub(super) fn client_loses(&mut self, conn: u64) {
        let delay = self.latency();
        self.after(delay, Due::ClientLoses(conn, 1006));
    }

    pub(super) fn cut(&mut self, device: usize, kind: CutKind) {
        let ids: Vec<u64> = self.devices[device].conns.values().copied().collect();
        for id in ids {
            let Some(link) = self.links.get_mut(&id) else { continue };
            match kind {
                CutKind::Clean => {
                    link.to_node = false;
                    self.client_loses(id);
                    let delay = self.latency();
                    self.after(delay, Due::NodeLoses(id));
                }
                CutKind::HalfOpen => (link.to_node, link.to_client) = (false, false),
                CutKind::Zombie => self.client_loses(id),
            }
        }
    }
}

//! Finds out which server is master of what: told by the URL, by sentinels, or by a cluster.

mod cluster;
mod sentinel;

use super::routes::Routes;
use super::shared::Shared;
use crate::broker::redis_url::Topology;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Least time between two looks, however often one is asked for.
const LOOK_PAUSE: Duration = Duration::from_millis(200);

/// Keeps the routes true until it is dropped.
pub(super) async fn run(shared: Arc<Shared>, routes: watch::Sender<Arc<Routes>>) {
    match &shared.url.topology {
        Topology::Single(address) => {
            routes.send_replace(Arc::new(Routes::One(address.clone())));
            std::future::pending().await
        }
        Topology::Sentinel { sentinels, master } => sentinel::run(&shared, sentinels, master, &routes).await,
        Topology::Cluster(seeds) => cluster::run(&shared, seeds, &routes).await,
    }
}

/// Tells new routes; returns whether they are new.
fn tell(sender: &watch::Sender<Arc<Routes>>, routes: Routes) -> bool {
    sender.send_if_modified(|known| {
        let is_new = **known != routes;
        if is_new {
            *known = Arc::new(routes);
        }
        is_new
    })
}

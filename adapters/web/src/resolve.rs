//! From a name to addresses that may be connected to. A name is resolved once a connection, and the connection goes to what
//! was judged: there is no second look-up that could answer otherwise.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::Reach;

/// What names resolve to.
#[async_trait]
pub trait Resolver: Send + Sync {
    /// All addresses of a name.
    ///
    /// # Errors
    /// It has none, or nobody answers.
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// The resolver of the system, with its hosts file and its name servers.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

#[async_trait]
impl Resolver for SystemResolver {
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let found = tokio::net::lookup_host((name, 0)).await?;
        Ok(found.map(|address| address.ip()).collect())
    }
}

/// An address that is not fetched from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the name resolves to an address that files are not fetched from")]
pub(crate) struct NotAllowed;

/// Resolves for the HTTP client. One address that is not allowed spoils them all: a name that has a public and a private
/// one is made to get past a check.
#[derive(Clone)]
pub(crate) struct Judged {
    pub(crate) resolver: Arc<dyn Resolver>,
    pub(crate) reach: Arc<Reach>,
}

impl Resolve for Judged {
    fn resolve(&self, name: Name) -> Resolving {
        let Self { resolver, reach } = self.clone();
        Box::pin(async move {
            let addresses = resolver.addresses(name.as_str()).await?;
            if !addresses.iter().all(|address| reach.allows(*address)) {
                return Err(NotAllowed.into());
            }
            // The port is the URL's.
            let addresses = addresses.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(addresses) as Addrs)
        })
    }
}

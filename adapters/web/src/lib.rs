//! Files of other servers. Refuses every address that is not public, whatever leads to it: a name is resolved here, all that
//! it resolves to is judged, and the connection goes to an address that was judged. Knows no store and no user.

mod fetch;
mod head;
mod reach;
mod resolve;

pub use fetch::{HttpWeb, WebSettings};
pub use reach::Reach;
pub use resolve::{Resolver, SystemResolver};

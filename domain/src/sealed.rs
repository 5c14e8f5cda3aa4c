//! The personal half of an event: readable, or erased with its owner's key. No rule may depend on which.

/// A value that was stored encrypted with its owner's data key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sealed<T> {
    /// The key still exists: here is the value.
    Open(T),
    /// The owner was erased; the value is gone for ever. Also the state before the sealed half is attached.
    #[default]
    Erased,
}

impl<T> Sealed<T> {
    /// The value, if it can still be read.
    pub fn open(&self) -> Option<&T> {
        match self {
            Self::Open(value) => Some(value),
            Self::Erased => None,
        }
    }

    /// The value by move, if it can still be read.
    pub fn into_open(self) -> Option<T> {
        match self {
            Self::Open(value) => Some(value),
            Self::Erased => None,
        }
    }
}

impl<T> From<T> for Sealed<T> {
    fn from(value: T) -> Self {
        Self::Open(value)
    }
}

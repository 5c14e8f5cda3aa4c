//! What S3's refusals mean.

use std::error::Error;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use slipstream_commands::ports::{BlobError, PortError};

/// What the port says of a refusal. The reason names no key and no signature.
#[allow(clippy::needless_pass_by_value, reason = "it is what `map_err` hands over")]
pub(crate) fn refused<E>(error: SdkError<E, HttpResponse>) -> BlobError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let status = error.raw_response().map(|response| response.status().as_u16());
    let code = error.as_service_error().and_then(ProvideErrorMetadata::code);
    match (status, code) {
        (Some(404), Some("NoSuchBucket")) => unavailable("there is no such bucket".to_owned()),
        // 405 is a delete marker; 400 is what Amazon says of a version id that it cannot have given.
        (Some(404 | 405), _) | (Some(400), Some("InvalidArgument" | "NoSuchVersion")) => BlobError::NotFound,
        (Some(status), code) => unavailable(format!("{status} {}", code.unwrap_or("without a reason"))),
        (None, _) => {
            let cause = error.source().map_or_else(|| error.to_string(), deepest);
            unavailable(cause)
        }
    }
}

pub(crate) fn unavailable(reason: String) -> BlobError {
    BlobError::Unavailable(PortError { port: "blob store", reason })
}

fn deepest(error: &(dyn Error + 'static)) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}

//! What a bucket tells browsers: without it no page can upload, and the web client cannot read what it needs of the answer.

use aws_sdk_s3::types::{CorsConfiguration, CorsRule};
use slipstream_commands::ports::BlobError;

use crate::S3Blobs;
use crate::errors::{refused, unavailable};

/// What the web client reads of the answer to an upload.
const EXPOSED: [&str; 2] = ["ETag", "x-amz-version-id"];

impl S3Blobs {
    /// Whether pages of these origins can upload to the bucket and read what they need.
    ///
    /// # Errors
    /// `Unavailable`, also when there is no such bucket or it is not ours.
    pub async fn has_cors(&self, bucket: &str, origins: &[String]) -> Result<bool, BlobError> {
        let rules = match self.client.get_bucket_cors().bucket(bucket).send().await {
            Ok(cors) => cors.cors_rules.unwrap_or_default(),
            Err(error) => match refused(error) {
                BlobError::NotFound => Vec::new(),
                other @ (BlobError::OutOfRange { .. } | BlobError::Source(_) | BlobError::Unavailable(_)) => {
                    return Err(other);
                }
            },
        };
        Ok(origins.iter().all(|origin| rules.iter().any(|rule| serves(rule, origin))))
    }

    /// Lets pages of these origins upload to the bucket and read what they need. Replaces the bucket's rules.
    ///
    /// # Errors
    /// `Unavailable`, also when there is no such bucket or it is not ours.
    pub async fn set_cors(&self, bucket: &str, origins: &[String]) -> Result<(), BlobError> {
        let rule = CorsRule::builder()
            .set_allowed_origins(Some(origins.to_vec()))
            .set_allowed_methods(Some(["PUT", "GET", "HEAD"].map(String::from).into()))
            .allowed_headers("*")
            .set_expose_headers(Some(EXPOSED.map(String::from).into()))
            .max_age_seconds(3600);
        let rule = rule.build().map_err(|error| unavailable(error.to_string()))?;
        let rules = CorsConfiguration::builder().cors_rules(rule).build();
        let rules = rules.map_err(|error| unavailable(error.to_string()))?;
        self.client
            .put_bucket_cors()
            .bucket(bucket)
            .cors_configuration(rules)
            .send()
            .await
            .map_err(refused)?;
        Ok(())
    }
}

fn serves(rule: &CorsRule, origin: &str) -> bool {
    let allows = |origins: &[String]| origins.iter().any(|allowed| allowed == "*" || allowed == origin);
    let exposes =
        |name: &&str| rule.expose_headers().iter().any(|exposed| exposed.eq_ignore_ascii_case(name));
    allows(rule.allowed_origins())
        && ["PUT", "GET"].iter().all(|method| rule.allowed_methods().iter().any(|allowed| allowed == method))
        && EXPOSED.iter().all(exposes)
}

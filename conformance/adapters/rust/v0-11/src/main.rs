// SPDX-License-Identifier: Apache-2.0

//! Pulls an image with containers-image-proxy 0.11.2. Here is how that release fetches a blob; the rest is
//! `shared/pull.rs`. Blobs come by `get_blob_stream`, which takes GetRawBlob where the server has it (and then
//! verifies size and digest itself) and GetBlob elsewhere.

#[path = "../../shared/pull.rs"]
mod pull;

use anyhow::{Context, Result};
use containers_image_proxy::oci_spec::image::Descriptor;
use containers_image_proxy::{BlobStreamSource, ImageProxy, OpenedImage};

async fn fetch(
    proxy: &ImageProxy,
    image: &OpenedImage,
    what: &Descriptor,
    blob: &mut pull::Blob,
) -> Result<()> {
    let stream = proxy
        .get_blob_stream(image, what.digest(), what.size())
        .await?;
    if stream.source() == BlobStreamSource::GetRawBlob {
        blob.is_hashed_by_the_crate();
    }
    let (reader, driver) = stream.into_parts();
    let (read, driver) = tokio::join!(blob.read(reader), driver);
    read.context("cannot read")?;
    driver?;
    Ok(())
}

fn main() -> std::process::ExitCode {
    pull::main()
}

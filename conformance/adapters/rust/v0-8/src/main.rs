// SPDX-License-Identifier: Apache-2.0

//! Pulls an image with containers-image-proxy 0.8.0. Here is how that release fetches a blob; the rest is
//! `shared/pull.rs`. Blobs come by `get_descriptor`, as in the crate's own example: `get_raw_blob` has no
//! fallback for servers before 0.2.8, and no way to ask whether it can be used.

#[path = "../../shared/pull.rs"]
mod pull;

use anyhow::{Context, Result};
use containers_image_proxy::oci_spec::image::Descriptor;
use containers_image_proxy::{ImageProxy, OpenedImage};

async fn fetch(
    proxy: &ImageProxy,
    image: &OpenedImage,
    what: &Descriptor,
    blob: &mut pull::Blob,
) -> Result<()> {
    let (reader, driver) = proxy.get_descriptor(image, what).await?;
    // The crate's documentation: join both, for the driver returns only when everything was read.
    let (read, driver) = tokio::join!(blob.read(reader), driver);
    read.context("cannot read")?;
    driver?;
    Ok(())
}

fn main() -> std::process::ExitCode {
    pull::main()
}

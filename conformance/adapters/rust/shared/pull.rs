// SPDX-License-Identifier: Apache-2.0

//! A whole image by way of containers-image-proxy, as a careful user of the crate pulls one: manifest, config
//! and every layer, each compared with the digest that names it, into an OCI layout or only through the hashes.
//! Errors are shown as the crate's own example shows them, by `Display` with their causes, and nothing guards
//! against what the crate waits for without end: what the crate does on a bad day is what is to be seen.

use std::collections::HashSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{bail, ensure, Context, Result};
use containers_image_proxy::oci_spec::image::{
    Descriptor, Digest, DigestAlgorithm, ImageManifest, MediaType,
};
use containers_image_proxy::{ImageProxy, OpenedImage};
use serde_json::json;
use sha2::digest::DynDigest;
use tempfile::NamedTempFile;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Bytes that are read and written at once.
const PIECE: usize = 256 * 1024;

const USAGE: &str = "Usage: pull-with-crate REF [DIR]

Fetches the image REF (TRANSPORT:REF, as skopeo takes it) with the crate containers-image-proxy and the skopeo
that is first on PATH. Everything is verified, and kept as an OCI layout in DIR if one is named.

Exit status: 0 all is well, 1 the image could not be fetched, 2 wrong use.
";

/// Where the image goes to.
struct Layout {
    dir: Option<PathBuf>,
}

struct Manifest {
    media_type: MediaType,
    digest: Digest,
    raw: Vec<u8>,
}

/// A blob on its way. Its temporary file goes when it is dropped before it was kept.
pub struct Blob {
    digest: Digest,
    size: u64,
    bytes: u64,
    hash: Option<Box<dyn DynDigest>>,
    file: Option<NamedTempFile>,
}

fn hash_of(digest: &Digest) -> Result<Box<dyn DynDigest>> {
    Ok(match digest.algorithm() {
        DigestAlgorithm::Sha256 => Box::new(sha2::Sha256::default()),
        DigestAlgorithm::Sha384 => Box::new(sha2::Sha384::default()),
        DigestAlgorithm::Sha512 => Box::new(sha2::Sha512::default()),
        other => bail!("the digest {digest} is by {other}, which is not known here"),
    })
}

fn is_digest_of(hash: Box<dyn DynDigest>, digest: &Digest) -> bool {
    let hex: String = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();

    hex == digest.digest()
}

fn has_digest(data: &[u8], digest: &Digest) -> Result<bool> {
    let mut hash = hash_of(digest)?;

    hash.update(data);
    Ok(is_digest_of(hash, digest))
}

impl Blob {
    /// Takes all that comes, but not more than one byte past what it should be.
    pub async fn read(&mut self, reader: impl AsyncRead + Unpin) -> Result<()> {
        let mut reader = reader.take(self.size.saturating_add(1));
        let mut piece = vec![0; PIECE];

        loop {
            let n = reader.read(&mut piece).await?;
            if n == 0 {
                return Ok(());
            }
            self.bytes += n as u64;
            if let Some(hash) = &mut self.hash {
                hash.update(&piece[..n]);
            }
            if let Some(file) = &mut self.file {
                file.write_all(&piece[..n])?;
            }
        }
    }

    /// The crate compares the digest, so that it need not be done twice.
    #[allow(dead_code)] // by none that is older than get_blob_stream
    pub fn is_hashed_by_the_crate(&mut self) {
        self.hash = None;
    }
}

impl Layout {
    fn create(dir: Option<PathBuf>) -> Result<Self> {
        if let Some(dir) = &dir {
            fs::create_dir_all(dir.join("blobs"))
                .with_context(|| format!("cannot make the layout {}", dir.display()))?;
        }
        Ok(Self { dir })
    }

    fn begin(&self, what: &Descriptor) -> Result<Blob> {
        let file = match &self.dir {
            None => None,
            Some(dir) => Some(NamedTempFile::new_in(dir.join("blobs"))?),
        };

        Ok(Blob {
            digest: what.digest().clone(),
            size: what.size(),
            bytes: 0,
            hash: Some(hash_of(what.digest())?),
            file,
        })
    }

    /// Checks the blob, and gives it its name.
    fn keep(&self, blob: Blob) -> Result<()> {
        let Blob { digest, size, .. } = blob;

        match blob.bytes {
            n if n > size => bail!("more than its {size} bytes came"),
            n if n < size => bail!("{n} of {size} bytes came"),
            _ => (),
        }
        if let Some(hash) = blob.hash {
            ensure!(is_digest_of(hash, &digest), "what came has another digest");
        }
        if let (Some(dir), Some(file)) = (&self.dir, blob.file) {
            let folder = dir.join("blobs").join(digest.algorithm().as_ref());
            fs::create_dir_all(&folder)?;
            file.persist(folder.join(digest.digest()))?;
        }
        Ok(())
    }

    /// What was checked already.
    fn write(&self, data: &[u8], digest: &Digest) -> Result<()> {
        let Some(dir) = &self.dir else {
            return Ok(());
        };
        let folder = dir.join("blobs").join(digest.algorithm().as_ref());

        fs::create_dir_all(&folder)?;
        write_by_rename(&folder.join(digest.digest()), data)
    }

    /// The very last step: from now on this is an image.
    fn complete(&self, manifest: &Manifest) -> Result<()> {
        let Some(dir) = &self.dir else {
            return Ok(());
        };
        let index = json!({
            "schemaVersion": 2,
            "manifests": [{
                "mediaType": manifest.media_type.to_string(),
                "digest": manifest.digest.to_string(),
                "size": manifest.raw.len(),
            }],
        });

        self.write(&manifest.raw, &manifest.digest)?;
        write_by_rename(
            &dir.join("oci-layout"),
            br#"{"imageLayoutVersion":"1.0.0"}"#,
        )?;
        write_by_rename(&dir.join("index.json"), index.to_string().as_bytes())
    }
}

fn write_by_rename(path: &Path, data: &[u8]) -> Result<()> {
    let mut file = NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;

    file.write_all(data)?;
    file.persist(path)?;
    Ok(())
}

/// Whether the server may have made this manifest from docker's schema 2. Then the digest that it gives is the
/// original's, with which nothing here can be compared.
fn may_be_converted(manifest: &ImageManifest) -> bool {
    let bare = |d: &Descriptor| d.annotations().is_none() && d.artifact_type().is_none();

    manifest.annotations().is_none()
        && manifest.subject().is_none()
        && manifest.artifact_type().is_none()
        && *manifest.config().media_type() == MediaType::ImageConfig
        && bare(manifest.config())
        && manifest.layers().iter().all(|layer| {
            let media_type = layer.media_type().to_string();
            bare(layer) && media_type.starts_with("application/vnd.oci.image.layer.")
        })
}

async fn fetch_into(
    layout: &Layout,
    proxy: &ImageProxy,
    image: &OpenedImage,
    what: &Descriptor,
) -> Result<()> {
    let mut blob = layout.begin(what)?;

    crate::fetch(proxy, image, what, &mut blob).await?;
    layout.keep(blob)
}

/// `fetch_config_raw` gives the config as the server has read and written it, whose digest may have changed
/// on the way; then the blob has the bytes that the manifest names.
async fn fetch_config(
    layout: &Layout,
    proxy: &ImageProxy,
    image: &OpenedImage,
    what: &Descriptor,
) -> Result<()> {
    if *what.media_type() == MediaType::ImageConfig {
        let config = proxy.fetch_config_raw(image).await?;
        if has_digest(&config, what.digest())? {
            return layout.write(&config, what.digest());
        }
    }
    fetch_into(layout, proxy, image, what).await
}

/// Everything but what makes an image of it in the layout.
async fn fetch_all(layout: &Layout, proxy: &ImageProxy, image: &OpenedImage) -> Result<Manifest> {
    let (digest, raw) = proxy.fetch_manifest_raw_oci(image).await?;
    let parsed: ImageManifest = serde_json::from_slice(&raw)?;
    let mut digest: Digest = digest.parse()?;
    let mut done = HashSet::new();

    if !has_digest(&raw, &digest)? {
        let matches = may_be_converted(&parsed);
        ensure!(matches, "the manifest does not have the digest {digest}");
        let hex = sha2::Digest::finalize(sha2::Digest::chain_update(sha2::Sha256::default(), &raw));
        digest = format!("sha256:{hex:x}").parse()?;
    }
    fetch_config(layout, proxy, image, parsed.config())
        .await
        .context("config")?;
    for layer in parsed.layers() {
        if done.insert((layer.digest(), layer.size())) {
            fetch_into(layout, proxy, image, layer)
                .await
                .with_context(|| format!("layer {}", layer.digest()))?;
        }
    }
    let media_type = parsed.media_type().clone();
    Ok(Manifest {
        media_type: media_type.unwrap_or(MediaType::ImageManifest),
        digest,
        raw,
    })
}

async fn pull(reference: &str, dir: Option<PathBuf>) -> Result<()> {
    let layout = Layout::create(dir)?;
    let proxy = ImageProxy::new().await?;
    let image = proxy.open_image(reference).await?;
    let manifest = fetch_all(&layout, &proxy, &image).await?;

    // Before the image is complete: what the server says to these, and how it ends, counts too.
    proxy.close_image(&image).await?;
    proxy.finalize().await?;
    layout.complete(&manifest)
}

#[tokio::main(flavor = "current_thread")]
pub async fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let (reference, dir, rest) = (args.next(), args.next(), args.next());
    let reference = reference.as_deref().and_then(|r| r.to_str());

    let reference = match (reference, rest) {
        (Some("--help" | "-h"), _) => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        (Some(reference), None) if !reference.starts_with('-') => reference,
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match pull(reference, dir.map(PathBuf::from)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pull-with-crate: {error:#}");
            ExitCode::FAILURE
        }
    }
}

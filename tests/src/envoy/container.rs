//! Envoy in a container, through testcontainers.
//!
//! The image is `envoyproxy/envoy` where the engine has it or can pull it. Where no registry can be
//! reached, one is built `FROM scratch` out of the very binary that the process runner starts and
//! the shared libraries that it links, so that both run the same Envoy.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

use testcontainers::bollard::Docker;
use testcontainers::bollard::query_parameters::InspectContainerOptions;
use testcontainers::core::{BuildImageOptions, Mount};
use testcontainers::runners::{AsyncBuilder, AsyncRunner};
use testcontainers::{
    ContainerAsync, ContainerRequest, GenericBuildableImage, GenericImage, ImageExt,
};

use super::EnvoyError;
use super::binary::binary;
use super::builder::Builder;
use super::home::{Home, LOG};
use crate::runtime;

/// Where the binary lies in both images.
const BINARY: &str = "/usr/local/bin/envoy";

/// The container. Dropping it removes it.
pub(super) struct Container {
    /// Taken out only when it is dropped.
    container: Option<ContainerAsync<GenericImage>>,
    pid: u32,
}

/// Whether a container engine answers on this machine.
#[must_use]
pub fn engine_answers() -> bool {
    runtime().block_on(async {
        match Docker::connect_with_defaults() {
            Ok(docker) => docker.ping().await.is_ok(),
            Err(_) => false,
        }
    })
}

impl Container {
    pub(super) fn start(builder: &Builder, home: &Home) -> Result<Self, EnvoyError> {
        runtime().block_on(async {
            let image = image(&builder.version).await?;
            let container = request(image, builder, home)?
                .start()
                .await
                .map_err(|source| EnvoyError::engine("start Envoy", source))?;
            let pid = pid(container.id()).await?;
            Ok(Self {
                container: Some(container),
                pid,
            })
        })
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    pub(super) fn has_ended(&self) -> bool {
        let running = self.container.as_ref().map(ContainerAsync::is_running);
        !running.is_some_and(|running| matches!(runtime().block_on(running), Ok(true)))
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if let Some(container) = self.container.take() {
            // An engine that fails here leaves nobody who could act on it.
            let _ = runtime().block_on(container.rm());
        }
    }
}

fn request(
    image: GenericImage,
    builder: &Builder,
    home: &Home,
) -> Result<ContainerRequest<GenericImage>, EnvoyError> {
    let folder = home.path("");
    // What Envoy writes must be the test's to read and delete.
    let owner = fs::metadata(&folder)
        .map_err(|source| EnvoyError::io(format!("look at {}", folder.display()), source))?;
    let log = home.path(LOG).to_string_lossy().into_owned();
    let arguments = builder.arguments(home);
    let mut request = image
        .with_entrypoint(BINARY)
        .with_cmd(arguments.into_iter().chain(["--log-path".to_owned(), log]))
        .with_network("host")
        .with_user(format!("{}:{}", owner.uid(), owner.gid()));
    for path in std::iter::once(&folder).chain(&builder.mounts) {
        let path = path.to_string_lossy();
        request = request.with_mount(Mount::bind_mount(path.as_ref(), path.as_ref()));
    }
    for (name, value) in &builder.environment {
        request = request.with_env_var(name, value);
    }
    Ok(request)
}

async fn pid(id: &str) -> Result<u32, EnvoyError> {
    let failed = |source| EnvoyError::engine("inspect a container", source);
    let docker = Docker::connect_with_defaults().map_err(failed)?;
    let inspected = docker
        .inspect_container(id, None::<InspectContainerOptions>)
        .await
        .map_err(failed)?;
    let pid = inspected.state.and_then(|state| state.pid);
    pid.and_then(|pid| u32::try_from(pid).ok())
        .ok_or_else(|| EnvoyError::io("find the pid of a container", io::ErrorKind::NotFound))
}

async fn image(version: &str) -> Result<GenericImage, EnvoyError> {
    let official = GenericImage::new("envoyproxy/envoy", &format!("v{version}"));
    let failed = |source| EnvoyError::engine("be reached", source);
    let docker = Docker::connect_with_defaults().map_err(failed)?;
    let there = docker
        .inspect_image(&format!("envoyproxy/envoy:v{version}"))
        .await;
    if there.is_ok() || official.clone().pull_image().await.is_ok() {
        return Ok(official);
    }
    from_scratch(version)?
        .build_image_with(BuildImageOptions::new().with_skip_if_exists(true))
        .await
        .map_err(|source| EnvoyError::engine("build an image of Envoy", source))
}

fn from_scratch(version: &str) -> Result<GenericBuildableImage, EnvoyError> {
    let binary = binary(version)?;
    let libraries = libraries(&binary)?;
    let mut dockerfile = format!("FROM scratch\nCOPY envoy {BINARY}\n");
    let mut image =
        GenericBuildableImage::new("tracegate-envoy", version).with_file(&binary, "envoy");
    for (number, library) in libraries.iter().enumerate() {
        dockerfile += &format!("COPY library-{number} {}\n", library.display());
        // The names are links, and an image needs the files.
        let file = library
            .canonicalize()
            .map_err(|source| EnvoyError::io(format!("find {}", library.display()), source))?;
        image = image.with_file(file, format!("library-{number}"));
    }
    Ok(image.with_dockerfile_string(dockerfile))
}

/// The shared libraries and the loader, at the paths where the binary looks for them.
fn libraries(binary: &Path) -> Result<Vec<PathBuf>, EnvoyError> {
    let output = Command::new("ldd")
        .arg(binary)
        .output()
        .map_err(|source| EnvoyError::io("run ldd", source))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let paths = text.split_whitespace().filter(|word| word.starts_with('/'));
    Ok(paths.map(PathBuf::from).collect())
}

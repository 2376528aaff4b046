/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends the same requests to the real skopeo and to the fake as that release, and wants the same replies, byte
 * for byte but for the numbers of pipes, and the same data. The real one is `skopeo` or what CIP_TEST_SKOPEO
 * names; where there is none, or one of a release that is not emulated, the test is skipped. Fixtures are a
 * good image, a list, docker's schema 2, an artifact and broken ones, some of them as archives; and manifests
 * that servers do not send. Each server unpacks those into a temporary folder of its own, whose name is left
 * out.
 */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/testing.h"
#include "base/tmpdir.h"
#include "fakeproxy/drive.h"
#include "fakeproxy/emulate.h"
#include "image/fixture.h"
#include "image/layout.h"
#include "protocol/message.h"

#define SKIPPED 77

/*
 * Where servers find the images: @ in a request is the folder, D and S digest and size of the first layer of
 * "tar".
 */
static const char *const fixture_names[] = {
        "tar",           "index",         "docker",    "artifact",    "blob-65537",         "layers-300",
        "broken-digest", "broken-config", "config-1m", "manifest-1m", "broken-missing-blob"};

/* Image ids: 1 is tar, 2 the list, 3 a folder that is not there, 4 the artifact, 5 to 9 as opened below. */
static const char *const requests[] = {
        "{\"method\":\"OpenImage\",\"args\":[\"oci:@/tar:latest\"]}",
        "{\"method\":\"FinishPipe\",\"args\":[3]}",
        "{\"method\":\"GetLayerInfo\",\"args\":[]}",
        "{\"method\":\"Nonsense\",\"args\":[]}",
        "{\"method\":\"Initialize\",\"args\":[1]}",
        "{\"method\":\"Initialize\"}",
        "{\"method\":\"Initialize\"}",
        "{\"method\":\"initialize\",\"args\":[]}",
        "{\"args\":[]}",
        "{}",
        "[]",
        "\"x\"",
        "3",
        "null",
        "{\"method\":3}",
        "{\"method\":\"OpenImage\",\"args\":{}}",
        "{\"method\":\"OpenImage\",\"args\":\"x\"}",
        "{\"method\":null,\"args\":null}",
        "{\"method\":\"OpenImage\"",
        "{\"METHOD\":\"A\",\"method\":\"B\"}",
        "{\"method\":\"A\",\"METHOD\":\"B\",\"method\":null}",
        "{\"method\":\"No\xffnse<>&\xe2\x80\xa8\\u0001\\ud800x\x7f\"}",
        "{\"method\":\"OpenImage\",\"args\":[]}",
        "{\"method\":\"OpenImage\",\"args\":[1]}",
        "{\"method\":\"OpenImage\",\"args\":[null]}",
        "{\"method\":\"OpenImage\",\"args\":[\"oci:@/tar:latest\",1]}",
        "{\"method\":\"OpenImage\",\"args\":[\"nonsense\"]}",
        "{\"method\":\"OpenImage\",\"args\":[\"nonsense:x\"]}",
        "{\"method\":\"OpenImage\",\"args\":[\"\"]}",
        "{\"method\":\"OpenImage\",\"args\":[\"oci:@/tar:nope\"]}",
        "{\"method\":\"OpenImage\",\"args\":[\"oci:@/nope:nope\"]}",
        "{\"method\":\"OpenImage\",\"args\":[\"oci:@/tar:la test\"]}",
        "{\"method\":\"OpenImage\",\"args\":[\"\\u0000\"]}",
        "{\"method\":\"OpenImage\",\"args\":[\"a\\u0000b:x\"]}",
        "{\"method\":\"OpenImage\",\"args\":[\"oci:\\u0000:x\"]}",
        "{\"method\":\"OpenImage\",\"args\":[\"dir:@/nope/\\u0000\"]}",
        "{\"method\":\"OpenImage\",\"args\":[\"oci:@/tar:la\\u0000test\"]}",
        "{\"method\":\"OpenImage\",\"args\":[\"docker-archive:\\u0000:x\"]}",
        "{\"method\":\"OpenImage\",\"args\":[\"docker://a\\u0000\"]}",
        "{\"method\":\"OpenImageOptional\",\"args\":[\"oci:@/tar:nope\"]}",
        "{\"method\":\"OpenImageOptional\",\"args\":[\"oci:@/nope:nope\"]}",
        "{\"method\":\"OpenImageOptional\",\"args\":[\"nonsense:x\"]}",
        "{\"method\":\"OpenImageOptional\",\"args\":[3]}",
        "{\"method\":\"OpenImage\",\"args\":[\"oci:@/tar:latest\"]}",
        "{\"method\":\"OpenImage\",\"args\":[\"oci:@/index:latest\"]}",
        "{\"method\":\"OpenImage\",\"args\":[\"dir:@/nope\"]}",
        "{\"method\":\"OpenImage\",\"args\":[\"oci:@/artifact:latest\"]}",
        "{\"method\":\"OpenImage\",\"args\":[\"oci:@/blob-65537:latest\"]}",
        "{\"method\":\"OpenImage\",\"args\":[\"oci:@/layers-300:latest\"]}",
        "{\"method\":\"OpenImage\",\"args\":[\"oci:@/broken-config:latest\"]}",
        "{\"method\":\"OpenImage\",\"args\":[\"dir:@/docker-dir\"]}",
        "{\"method\":\"OpenImage\",\"args\":[\"oci:@/manifest-1m:latest\"]}",
        "{\"method\":\"OpenImage\",\"args\":[\"oci:@/config-1m:latest\"]}",
        "{\"method\":\"OpenImage\",\"args\":[\"oci:@/broken-digest:latest\"]}",
        "{\"method\":\"GetManifest\",\"args\":[]}",
        "{\"method\":\"GetManifest\",\"args\":[1,1]}",
        "{\"method\":\"GetManifest\",\"args\":[\"1\"]}",
        "{\"method\":\"GetManifest\",\"args\":[null]}",
        "{\"method\":\"GetManifest\",\"args\":[true]}",
        "{\"method\":\"GetManifest\",\"args\":[[]]}",
        "{\"method\":\"GetManifest\",\"args\":[{}]}",
        "{\"method\":\"GetManifest\",\"args\":[0]}",
        "{\"method\":\"GetManifest\",\"args\":[99]}",
        "{\"method\":\"GetManifest\",\"args\":[-1]}",
        "{\"method\":\"GetManifest\",\"args\":[-0.5]}",
        "{\"method\":\"GetManifest\",\"args\":[1.5]}",
        "{\"method\":\"GetManifest\",\"args\":[9007199254740991]}",
        "{\"method\":\"GetManifest\",\"args\":[9007199254740992]}",
        "{\"method\":\"GetManifest\",\"args\":[1e30]}",
        "{\"method\":\"GetManifest\",\"args\":[-1e30]}",
        "{\"method\":\"GetManifest\",\"args\":[1e400]}",
        "{\"method\":\"GetManifest\",\"args\":[[{\"a\":1e400}]]}",
        "{\"method\":\"GetManifest\",\"args\":[1]}",
        "{\"method\":\"GetManifest\",\"args\":[2]}",
        "{\"method\":\"GetManifest\",\"args\":[3]}",
        "{\"method\":\"GetManifest\",\"args\":[4]}",
        "{\"method\":\"GetManifest\",\"args\":[8]}",
        "{\"method\":\"GetManifest\",\"args\":[9]}",
        "{\"method\":\"GetFullConfig\",\"args\":[]}",
        "{\"method\":\"GetFullConfig\",\"args\":[0]}",
        "{\"method\":\"GetFullConfig\",\"args\":[1]}",
        "{\"method\":\"GetFullConfig\",\"args\":[2]}",
        "{\"method\":\"GetFullConfig\",\"args\":[3]}",
        "{\"method\":\"GetFullConfig\",\"args\":[7]}",
        "{\"method\":\"GetFullConfig\",\"args\":[8]}",
        "{\"method\":\"GetFullConfig\",\"args\":[10]}",
        "{\"method\":\"GetConfig\",\"args\":[1]}",
        "{\"method\":\"GetConfig\",\"args\":[8]}",
        "{\"method\":\"GetConfig\",\"args\":[99]}",
        "{\"method\":\"GetLayerInfo\",\"args\":[0]}",
        "{\"method\":\"GetLayerInfo\",\"args\":[1]}",
        "{\"method\":\"GetLayerInfo\",\"args\":[6]}",
        "{\"method\":\"GetLayerInfo\",\"args\":[8]}",
        "{\"method\":\"GetLayerInfoPiped\",\"args\":[1]}",
        "{\"method\":\"GetLayerInfoPiped\",\"args\":[6]}",
        "{\"method\":\"GetBlob\",\"args\":[]}",
        "{\"method\":\"GetBlob\",\"args\":[1]}",
        "{\"method\":\"GetBlob\",\"args\":[99,\"%D\",%S]}",
        "{\"method\":\"GetBlob\",\"args\":[1,7,%S]}",
        "{\"method\":\"GetBlob\",\"args\":[1,\"nonsense\",%S]}",
        "{\"method\":\"GetBlob\",\"args\":[1,\"sha256:abc\",%S]}",
        "{\"method\":\"GetBlob\",\"args\":[1,\"sha256:\\u0000\",%S]}",
        "{\"method\":\"GetBlob\",\"args\":[1,\"md5:abc\",%S]}",
        "{\"method\":\"GetBlob\",\"args\":[1,\"x\",\"x\"]}",
        "{\"method\":\"GetBlob\",\"args\":[1,\"%D\",\"1\"]}",
        "{\"method\":\"GetBlob\",\"args\":[1,\"%D\",-1]}",
        "{\"method\":\"GetBlob\",\"args\":[1,\"%D\",10]}",
        "{\"method\":\"GetBlob\",\"args\":[1,\"%D\",%S]}",
        "{\"method\":\"GetBlob\",\"args\":[3,\"%D\",%S]}",
        "{\"method\":\"GetRawBlob\",\"args\":[]}",
        "{\"method\":\"GetRawBlob\",\"args\":[1,7]}",
        "{\"method\":\"GetRawBlob\",\"args\":[1,\"%D\"]}",
        "{\"method\":\"GetRawBlob\",\"args\":[1,\"sha256:%0\"]}",
        "{\"method\":\"CloseImage\",\"args\":[]}",
        "{\"method\":\"CloseImage\",\"args\":[\"x\"]}",
        "{\"method\":\"CloseImage\",\"args\":[99]}",
        "{\"method\":\"CloseImage\",\"args\":[1]}",
        "{\"method\":\"CloseImage\",\"args\":[1]}",
        "{\"method\":\"FinishPipe\",\"args\":[\"3\"]}",
        "{\"method\":\"FinishPipe\",\"args\":[0]}",
        "{\"method\":\"FinishPipe\",\"args\":[3.5]}",
        "{\"method\":\"FinishPipe\",\"args\":[-1]}",
        "{\"method\":\"FinishPipe\",\"args\":[4294967299]}",
        "{\"method\":\"FinishPipe\",\"args\":[5,6]}",
        "{\"method\":\"FinishPipe\",\"args\":[9007199254740992]}",
        "{\"method\":\"OpenImage\",\"args\":[\"a\\\"b\"]}",
        "{\"method\":\"OpenImage\",\"args\":[\"\\u00ad\\u2028:\"]}",
        "{\"method\":\"OpenImage\",\"args\":[\"docker:x\"]}",
        "{\"method\":\"OpenImage\",\"args\":[\"docker://X\"]}",
        "{\"method\":\"OpenImage\",\"args\":[\"docker://a:b:c\"]}",
        "{\"method\":\"OpenImage\",\"args\":[\"ostree:x\"]}",
        "{\"method\":\"OpenImage\",\"args\":[\"oci:/dev/null/x:y\"]}",
        "{\"method\":\"OpenImage\",\"args\":[\"dir:/dev/null/x\"]}",
        "{\"method\":\"OpenImage\",\"args\":[\"oci:@//tar/../tar/./:nope\"]}",
        "{\"method\":\"GetBlob\",\"args\":[5,\"sha256:../../x\",1]}",
        "{\"method\":\"GetBlob\",\"args\":[5,\"sha256:\",1]}",
        "{\"method\":\"Nonsense\"}{}",
        "{'method':1}",
        "{\"method\":\"x\ty\"}",
        "{\"method\":tru",
        "{\"method\":\"x\",\"args\":[01]}",
        "{\"method\":\"x\",\"args\":[+1]}",
};

/* The archives: T, G and M are two tags in one oci-archive:, one in gzip, one without manifest.json. */
static const char *const archive_requests[] = {
        "{\"method\":\"Initialize\"}",
        "{\"method\":\"OpenImage\",\"args\":[\"oci-archive:@/a.tar\"]}",
        "{\"method\":\"OpenImage\",\"args\":[\"docker-archive:@/d.tar\"]}",
        "{\"method\":\"OpenImage\",\"args\":[\"docker-archive:@/dz.tar:z\"]}",
        "{\"method\":\"OpenImage\",\"args\":[\"docker-archive:@/d.tar:none\"]}",
        "{\"method\":\"OpenImage\",\"args\":[\"docker-archive:@/d.tar:@7\"]}",
        "{\"method\":\"OpenImage\",\"args\":[\"docker-archive:@/d.tar:example.com/d:v1\"]}",
        "{\"method\":\"OpenImage\",\"args\":[\"oci-archive:@/a.tar:latest\"]}",
        "{\"method\":\"OpenImage\",\"args\":[\"oci-archive:@/a.tar:nope\"]}",
        "{\"method\":\"OpenImage\",\"args\":[\"oci-archive:@/a.tar:la test\"]}",
        "{\"method\":\"OpenImage\",\"args\":[\"oci-archive:@/nope.tar\"]}",
        "{\"method\":\"OpenImage\",\"args\":[\"oci-archive:@/nope/nope.tar\"]}",
        "{\"method\":\"OpenImage\",\"args\":[\"oci-archive:@/cut.tar\"]}",
        "{\"method\":\"OpenImage\",\"args\":[\"oci-archive:@/d.tar\"]}",
        "{\"method\":\"OpenImage\",\"args\":[\"oci-archive:@\"]}",
        "{\"method\":\"OpenImage\",\"args\":[\"docker-archive:@/nope.tar\"]}",
        "{\"method\":\"OpenImage\",\"args\":[\"docker-archive:@/cut.tar\"]}",
        "{\"method\":\"OpenImage\",\"args\":[\"docker-archive:@/a.tar\"]}",
        "{\"method\":\"OpenImage\",\"args\":[\"docker-archive:@\"]}",
        "{\"method\":\"OpenImage\",\"args\":[\"docker-archive:\"]}",
        "{\"method\":\"OpenImage\",\"args\":[\"docker-archive:@/d.tar:\"]}",
        "{\"method\":\"OpenImage\",\"args\":[\"docker-archive:@/d.tar:UPPER\"]}",
        "{\"method\":\"OpenImage\",\"args\":[\"docker-archive:@/d.tar:@x\"]}",
        "{\"method\":\"OpenImage\",\"args\":[\"docker-archive:@/d.tar:@-1\"]}",
        "{\"method\":\"OpenImage\",\"args\":[\"docker-archive:@/d.tgz\"]}",
        "{\"method\":\"OpenImageOptional\",\"args\":[\"oci-archive:@/a.tar:nope\"]}",
        "{\"method\":\"OpenImageOptional\",\"args\":[\"oci-archive:@/nope.tar\"]}",
        "{\"method\":\"OpenImageOptional\",\"args\":[\"docker-archive:@/nope.tar\"]}",
        "{\"method\":\"OpenImageOptional\",\"args\":[\"docker-archive:@/d.tar:none\"]}",
        "{\"method\":\"GetManifest\",\"args\":[1]}",
        "{\"method\":\"GetManifest\",\"args\":[2]}",
        "{\"method\":\"GetManifest\",\"args\":[3]}",
        "{\"method\":\"GetManifest\",\"args\":[4]}",
        "{\"method\":\"GetManifest\",\"args\":[5]}",
        "{\"method\":\"GetManifest\",\"args\":[6]}",
        "{\"method\":\"GetFullConfig\",\"args\":[1]}",
        "{\"method\":\"GetFullConfig\",\"args\":[2]}",
        "{\"method\":\"GetFullConfig\",\"args\":[4]}",
        "{\"method\":\"GetConfig\",\"args\":[2]}",
        "{\"method\":\"GetLayerInfo\",\"args\":[1]}",
        "{\"method\":\"GetLayerInfo\",\"args\":[2]}",
        "{\"method\":\"GetLayerInfo\",\"args\":[3]}",
        "{\"method\":\"GetLayerInfoPiped\",\"args\":[2]}",
        "{\"method\":\"GetBlob\",\"args\":[1,\"%D\",%S]}",
        "{\"method\":\"GetBlob\",\"args\":[1,\"sha256:%0\",1]}",
        "{\"method\":\"GetBlob\",\"args\":[2,\"%D\",%S]}",
        "{\"method\":\"GetBlob\",\"args\":[2,\"%D\",7]}",
        "{\"method\":\"GetBlob\",\"args\":[2,\"sha256:%0\",1]}",
        "{\"method\":\"GetBlob\",\"args\":[4,\"%D\",%S]}",
        "{\"method\":\"GetRawBlob\",\"args\":[1,\"%D\"]}",
        "{\"method\":\"GetRawBlob\",\"args\":[2,\"%D\"]}",
        "{\"method\":\"GetRawBlob\",\"args\":[2,\"sha256:%0\"]}",
        "{\"method\":\"CloseImage\",\"args\":[1]}",
        "{\"method\":\"CloseImage\",\"args\":[2]}",
        "{\"method\":\"GetBlob\",\"args\":[2,\"%D\",%S]}",
};

/* What is known of the images. */
struct world {
        char *folder;
        char digest[DIGEST_TEXT_SIZE];
        int64_t size;
};

static void make_images(struct world *world)
{
        struct layout *layout CLEANUP(cleanup_layout_free) = NULL;
        struct manifest *manifest CLEANUP(cleanup_manifest_free) = NULL;
        char *text CLEANUP(cleanup_free) = NULL;
        const struct content *entry;
        struct cip_error error;
        char path[4096];
        size_t len;

        ck_assert_ok(tmpdir_new("cip-same", &world->folder, &error));
        for (size_t i = 0; i < ARRAY_SIZE(fixture_names); i++) {
                snprintf(path, sizeof(path), "%s/%s", world->folder, fixture_names[i]);
                ck_assert_ok(fixture_write_oci(fixture_find(fixture_names[i]), path, "latest", &error));
        }
        snprintf(path, sizeof(path), "%s/docker-dir", world->folder);
        ck_assert_ok(fixture_write_dir(fixture_find("docker"), path, &error));
        snprintf(path, sizeof(path), "%s/tar", world->folder);
        ck_assert_ok(layout_open(path, &layout, &error));
        ck_assert_ok(layout_find(layout, "latest", &entry, &error));
        ck_assert_ok(layout_read_blob(layout, entry->digest, MANIFEST_MAX, &text, &len, &error));
        ck_assert_ok(manifest_parse(text, len, &manifest, &error));
        snprintf(world->digest, sizeof(world->digest), "%s", manifest->entries[0].digest);
        world->size = manifest->entries[0].size;
}

static const char *path_of(const struct world *world, const char *name)
{
        static char path[4096];

        snprintf(path, sizeof(path), "%s/%s", world->folder, name);
        return path;
}

static void make_archives(const struct world *world)
{
        const struct fixture *tar = fixture_find("tar");

        ck_assert_ok(fixture_write_oci_archive(tar, path_of(world, "a.tar"), "latest", false, NULL));
        ck_assert_ok(fixture_write_oci_archive(tar, path_of(world, "cut.tar"), NULL, false, NULL));
        ck_assert_int_eq(truncate(path_of(world, "cut.tar"), 5000), 0);
        ck_assert_ok(
                fixture_write_docker_archive(tar, path_of(world, "d.tar"), "example.com/d:v1", false, NULL));
        ck_assert_ok(fixture_write_docker_archive(tar, path_of(world, "d.tgz"), NULL, true, NULL));
        ck_assert_ok(fixture_write_docker_archive(fixture_find("gzip"), path_of(world, "dz.tar"), "z:latest",
                                                  false, NULL));
}

/* ---- manifests that are not sent, or not as they are ---- */

#define OCI_INDEX "application/vnd.oci.image.index.v1+json"
#define SCHEMA_1 "application/vnd.docker.distribution.manifest.v1+json"
#define DOCKER "application/vnd.docker.distribution.manifest.v2+json"
#define ID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define NOT_THERE "sha256:" ID_A
#define NO_SIZE "\"size\":1"

/* Of schema 1, with ' for \" in the entries of the history. */
#define ENTRY(members) "{\"v1Compatibility\":\"{" members "}\"}"
#define HISTORY(layers, entries)                                                                             \
        "{\"schemaVersion\":1,\"name\":\"n\",\"tag\":\"t\",\"architecture\":\"amd64\",\"fsLayers\":[" layers \
        "],\"history\":[" entries "]}"
#define ONE "{\"blobSum\":\"" NOT_THERE "\"}"

#define DOCKER_MANIFEST                                                                            \
        "{\"schemaVersion\":2,\"mediaType\":\"" DOCKER "\",\"config\":{\"mediaType\":"             \
        "\"application/vnd.docker.container.image.v1+json\",\"digest\":\"" NOT_THERE "\"," NO_SIZE \
        "},\"layers\":[{\"mediaType\":\"application/"                                              \
        "vnd.docker.image.rootfs.diff.tar.gzip\",\"digest\":\"" NOT_THERE "\"," NO_SIZE "}]}"

/*
 * A manifest, in a layout of its name, or in so many lists one in the other; tampered with, so that it is not
 * what they say.
 */
static const struct {
        const char *name, *media_type, *text;
        size_t lists;
        bool tampered;
} odd_manifests[] = {
        {"one", SCHEMA_1, HISTORY(ONE, ENTRY("'id':'" ID_A "','created':'2020-01-02T03:04:05.100Z'")), 0,
         false},
        {"listed", SCHEMA_1, HISTORY(ONE, ENTRY("'id':'" ID_A "','author':'x'")), 1, false},
        {"two", SCHEMA_1,
         HISTORY(ONE "," ONE,
                 ENTRY("'id':'" ID_B "','parent':'" ID_A "','author':'me','comment':'c','throwaway':true,"
                       "'container_config':{'Cmd':['/bin/"
                       "sh','-c','x']},'config':{'Env':['A=b'],'Hostname':'h'},"
                       "'os':'linux','architecture':'amd64','Size':3,'docker_version':'1."
                       "8.2'") "," ENTRY("'id':'" ID_A "','created':'2020-01-02T03:04:05+00:00'")),
         0, false},
        {"again", SCHEMA_1,
         HISTORY(ONE "," ONE, ENTRY("'id':'" ID_A "','author':'1'") "," ENTRY("'id':'" ID_A "','author':'2'")),
         0, false},
        {"empty", SCHEMA_1, HISTORY("", ""), 0, false},
        {"short", SCHEMA_1, HISTORY(ONE, ""), 0, false},
        {"no-id", SCHEMA_1, HISTORY(ONE, ENTRY("")), 0, false},
        {"id-type", SCHEMA_1, HISTORY(ONE, ENTRY("'id':3")), 0, false},
        {"cut", SCHEMA_1, HISTORY(ONE, "{\"v1Compatibility\":\"{\"}"), 0, false},
        {"base", SCHEMA_1, HISTORY(ONE, ENTRY("'id':'" ID_A "','parent':'" ID_B "'")), 0, false},
        {"parent", SCHEMA_1, HISTORY(ONE "," ONE, ENTRY("'id':'" ID_A "'") "," ENTRY("'id':'" ID_B "'")), 0,
         false},
        {"twice", SCHEMA_1,
         HISTORY(ONE "," ONE "," ONE, ENTRY("'id':'" ID_A "','parent':'" ID_B
                                            "'") "," ENTRY("'id':'" ID_B "'") "," ENTRY("'id':'" ID_A "'")),
         0, false},
        {"docker-no-config", DOCKER, DOCKER_MANIFEST, 1, false},
        {"nested-docker", DOCKER, DOCKER_MANIFEST, 2, false},
        {"nested-none", OCI_INDEX,
         "{\"schemaVersion\":2,\"mediaType\":\"" OCI_INDEX "\",\"manifests\":[{\"mediaType\":\"" SCHEMA_1
         "\",\"digest\":\"" NOT_THERE "\"," NO_SIZE
         ",\"platform\":{\"architecture\":\"sparc\",\"os\":\"plan9\"}}]}",
         1, false},
        {"tampered", DOCKER, DOCKER_MANIFEST, 1, true},
        {"nested-tampered", DOCKER, DOCKER_MANIFEST, 2, true},
};

static void write_text(const char *folder, const char *name, const char *text, bool tampered)
{
        char path[4096];
        FILE *to;

        snprintf(path, sizeof(path), "%s/%s", folder, name);
        to = fopen(path, "we");
        ck_assert_ptr_nonnull(to);
        fprintf(to, "%s%s", text, tampered ? " " : "");
        ck_assert_int_eq(fclose(to), 0);
}

/* Writes the manifest of a row, or the list around it, as a blob. */
static void write_manifest(const char *blobs, const char *text, bool tampered,
                           char ret_digest[DIGEST_TEXT_SIZE])
{
        ck_assert_ok(digest_of(DIGEST_SHA256, text, strlen(text), ret_digest));
        write_text(blobs, digest_hex(ret_digest), text, tampered);
}

static void make_odd(const struct world *world, size_t i)
{
        char folder[4096], blobs[4120], list[1000], digest[DIGEST_TEXT_SIZE];
        char *text CLEANUP(cleanup_free) = calloc(2, strlen(odd_manifests[i].text) + 1), *to = text;
        const char *type = odd_manifests[i].media_type;

        ck_assert_ptr_nonnull(text);
        for (const char *from = odd_manifests[i].text; *from; from++) {
                if (*from == '\'')
                        *to++ = '\\';
                *to++ = *from == '\'' ? '"' : *from;
        }
        snprintf(folder, sizeof(folder), "%s/%s", world->folder, odd_manifests[i].name);
        ck_assert_int_eq(mkdir(folder, 0777), 0);
        snprintf(blobs, sizeof(blobs), "%s/blobs", folder);
        ck_assert_int_eq(mkdir(blobs, 0777), 0);
        snprintf(blobs, sizeof(blobs), "%s/blobs/sha256", folder);
        ck_assert_int_eq(mkdir(blobs, 0777), 0);
        write_manifest(blobs, text, odd_manifests[i].tampered, digest);
        for (size_t n = 0;; n++) {
                snprintf(list, sizeof(list),
                         "{\"schemaVersion\":2,\"mediaType\":\"" OCI_INDEX
                         "\",\"manifests\":[{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":999,"
                         "\"platform\":{\"architecture\":\"amd64\",\"os\":\"linux\"},"
                         "\"annotations\":{\"org.opencontainers.image.ref.name\":\"latest\"}}]}",
                         type, digest);
                if (n == odd_manifests[i].lists)
                        break;
                type = OCI_INDEX;
                write_manifest(blobs, list, false, digest);
        }
        write_text(folder, "index.json", list, false);
        write_text(folder, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}", false);
}

static const char *const odd_methods[] = {"GetManifest", "GetFullConfig", "GetConfig", "GetLayerInfo",
                                          "GetLayerInfoPiped"};

/* The request with the folder, the digest and the size filled in. The caller frees. */
static char *fill_in(const struct world *world, const char *request)
{
        char *text = NULL;
        size_t size;
        FILE *to = open_memstream(&text, &size);

        ck_assert_ptr_nonnull(to);
        for (const char *c = request; *c; c++) {
                if (*c == '@')
                        fputs(world->folder, to);
                else if (!strncmp(c, "%D", 2))
                        fputs(world->digest, to);
                else if (!strncmp(c, "%S", 2))
                        fprintf(to, "%" PRId64, world->size);
                else if (!strncmp(c, "%0", 2))
                        fprintf(to, "%064d", 0);
                else
                        fputc(*c, to);
                c += *c == '%';
        }
        fclose(to);
        return text;
}

/* Puts "TMP" in the place of a path that ends in the name of a folder for an archive. */
static void forget_temporary(char *text)
{
        char *name = strstr(text, "container_images_oci");
        char *from, *end;

        if (!name) {
                name = strstr(text, "/oci");
                if (!name || name[4] < '0' || name[4] > '9')
                        return;
                name++;
        }
        for (from = name; from > text && from[-1] != '"' && from[-1] != ' ' && from[-1] != '\\';)
                from--;
        end = name + strcspn(name, "/\"\\ ");
        for (const char *word = "TMP"; *word; word++)
                *from++ = *word;
        memmove(from, end, strlen(end) + 1);
}

/* The reply with the pipe's number put to 1, without temporary folders. The caller frees. */
static char *without_pipe_id(const char *reply)
{
        static const char key[] = "\"pipeid\":";
        char *text = strdup(reply ? reply : "(hung up)");
        char *id, *end;

        ck_assert_ptr_nonnull(text);
        forget_temporary(text);
        id = strstr(text, key);
        if (!id)
                return text;
        id += strlen(key);
        for (end = id; *end >= '0' && *end <= '9';)
                end++;
        if (*id != '0') {
                *id = '1';
                memmove(id + 1, end, strlen(end) + 1);
        }
        return text;
}

/* What one server says to one request: its replies and the digests of its data, as text. The caller frees. */
static char *answer(struct drive *drive, const char *request)
{
        char *reply CLEANUP(cleanup_free) = without_pipe_id(drive_call(drive, request));
        char *data CLEANUP(cleanup_free) = NULL;
        char digests[2][DIGEST_TEXT_SIZE] = {"", ""};
        char *finished CLEANUP(cleanup_free) = NULL;
        size_t len[2] = {0, 0}, n = drive->packet.n_fds;
        char *text;

        if (n == 1) {
                data = drive_finish(drive, &len[0]);
                ck_assert_ok(digest_of(DIGEST_SHA256, data, len[0], digests[0]));
                finished = without_pipe_id(drive->packet.data);
        }
        for (size_t i = 0; n == 2 && i < 2; i++) {
                free(STEAL(data));
                data = drive_read(drive, i, &len[i]);
                ck_assert_ok(digest_of(DIGEST_SHA256, data, len[i], digests[i]));
        }
        ck_assert_int_ge(asprintf(&text, "%s\n  descriptors: %zu; %zu bytes %s; %zu bytes %s; finish: %s",
                                  reply, n, len[0], digests[0], len[1], digests[1],
                                  finished ? finished : "none"),
                         0);
        return text;
}

/* The release of a skopeo. "" where it cannot be asked. */
static void release_of(const char *command, char ret[64])
{
        char line[256];
        FILE *from;

        snprintf(line, sizeof(line), "%s --version 2>/dev/null", command);
        from = popen(line, "re"); /* NOLINT: a test's own command */
        ret[0] = '\0';
        if (!from)
                return;
        if (fscanf(from, "skopeo version %63s", ret) != 1)
                ret[0] = '\0';
        pclose(from);
}

/* What the test case compares. */
static const char *real_command, *fake_command;
static char release[64];

/* Sends @n requests to both, and wants the same. */
static void compare(const struct world *world, const char *const *list, size_t n)
{
        struct drive real CLEANUP_DRIVE = {0}, fake CLEANUP_DRIVE = {0};
        char emulate[100], flags[4200];
        int differences = 0;

        /* Where 1.9.3 may leave what it likes. */
        snprintf(flags, sizeof(flags), "--tmpdir %s --insecure-policy experimental-image-proxy", world->folder);
        snprintf(emulate, sizeof(emulate), "CIP_FAKEPROXY_EMULATE=%s", release);
        drive_start(&real, real_command, NULL, flags);
        drive_start(&fake, fake_command, emulate, flags);
        for (size_t i = 0; i < n; i++) {
                char *request CLEANUP(cleanup_free) = fill_in(world, list[i]);
                char *wanted CLEANUP(cleanup_free) = answer(&real, request);
                char *got CLEANUP(cleanup_free) = answer(&fake, request);

                if (!strcmp(wanted, got))
                        continue;
                differences++;
                printf("%s\n- %s\n+ %s\n", request, wanted, got);
        }
        printf("%zu requests as skopeo %s, %d differences\n", n, release, differences);
        fflush(stdout);
        ck_assert_int_eq(drive_end(&real), 0);
        ck_assert_int_eq(drive_end(&fake), 0);
        ck_assert_int_eq(differences, 0);
}

START_TEST(test_answers_as_the_real_one)
{
        struct world world;

        make_images(&world);
        compare(&world, requests, ARRAY_SIZE(requests));
        tmpdir_remove(world.folder);
}
END_TEST

START_TEST(test_serves_archives_as_the_real_one)
{
        struct world world;

        make_images(&world);
        make_archives(&world);
        compare(&world, archive_requests, ARRAY_SIZE(archive_requests));
        tmpdir_remove(world.folder);
}
END_TEST

START_TEST(test_takes_odd_manifests_as_the_real_one)
{
        enum { PER_IMAGE = 1 + ARRAY_SIZE(odd_methods), ALL = 1 + ARRAY_SIZE(odd_manifests) * PER_IMAGE };
        struct world world;
        char *list[ALL];
        size_t n = 0;

        ck_assert_ok(tmpdir_new("cip-same", &world.folder, NULL));
        ck_assert_int_ge(asprintf(&list[n++], "{\"method\":\"Initialize\"}"), 0);
        for (size_t i = 0; i < ARRAY_SIZE(odd_manifests); i++) {
                make_odd(&world, i);
                /* Releases before 1.22.0 do not see the tag of what is not OCI's. */
                ck_assert_int_ge(asprintf(&list[n++], "{\"method\":\"OpenImage\",\"args\":[\"oci:@/%s\"]}",
                                          odd_manifests[i].name),
                                 0);
                for (size_t j = 0; j < ARRAY_SIZE(odd_methods); j++)
                        ck_assert_int_ge(asprintf(&list[n++], "{\"method\":\"%s\",\"args\":[%zu]}",
                                                  odd_methods[j], i + 1),
                                         0);
        }
        compare(&world, (const char *const *)list, n);
        while (n > 0)
                free(list[--n]);
        tmpdir_remove(world.folder);
}
END_TEST

int main(int argc, char *argv[])
{
        Suite *suite = suite_create("same as real");
        struct emulation emulation;
        struct cip_error error;

        if (argc != 2) {
                fprintf(stderr, "usage: %s CIP-FAKEPROXY\n", argv[0]);
                return 2;
        }
        fake_command = argv[1];
        real_command = getenv("CIP_TEST_SKOPEO") ? getenv("CIP_TEST_SKOPEO") : "skopeo";
        release_of(real_command, release);
        if (!*release) {
                printf("skipped: there is no %s here\n", real_command);
                return SKIPPED;
        }
        if (emulation_find(release, &emulation, &error) < 0 || !emulation.is_release) {
                printf("skipped: release %s is not emulated\n", release);
                return SKIPPED;
        }
        tcase_add_test(testing_case(suite, "requests"), test_answers_as_the_real_one);
        tcase_add_test(testing_case(suite, "archives"), test_serves_archives_as_the_real_one);
        tcase_add_test(testing_case(suite, "odd"), test_takes_odd_manifests_as_the_real_one);
        return testing_main(suite);
}

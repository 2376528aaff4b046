/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lines of the help texts, with the releases that have them. Clients look into skopeo's to learn what it can.
 */
#include "fakeproxy/help.h"

#include <string.h>

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"

/* A line that releases from @since to before @until ({0}: to this day) have. */
struct line {
        struct version since, until;
        const char *text;
};

#define ALL             \
        {0, 0, 0},      \
        {               \
                0, 0, 0 \
        }
#define FROM(a, b, c)   \
        {a, b, c},      \
        {               \
                0, 0, 0 \
        }
#define BEFORE_RELEASE(a, b, c) \
        {0, 0, 0},              \
        {                       \
                a, b, c         \
        }

static const struct line root_lines[] = {
        {ALL,
         "Various operations with container images and container image registries\n"
         "\n"
         "Usage:\n"
         "  skopeo [flags]\n"
         "  skopeo [command]\n"
         "\n"
         "Available Commands:\n"
         "  copy                                          Copy an IMAGE-NAME from one location to another\n"
         "  delete                                        Delete image IMAGE-NAME\n"},
        {FROM(1, 13, 0),
         "  generate-sigstore-key                         Generate a sigstore public/private key pair\n"},
        {ALL,
         "  help                                          Help about any command\n"
         "  inspect                                       Inspect image IMAGE-NAME\n"
         "  list-tags                                     List tags in the transport/repository specified by "
         "the "
         "SOURCE-IMAGE\n"
         "  login                                         Login to a container registry\n"
         "  logout                                        Logout of a container registry\n"
         "  manifest-digest                               Compute a manifest digest of a file\n"
         "  standalone-sign                               Create a signature using local files\n"
         "  standalone-verify                             Verify a signature using local files\n"
         "  sync                                          Synchronize one or more images from one location to "
         "another\n"
         "\n"},
};

static const struct line root_flag_lines[] = {
        {ALL,
         "Flags:\n"
         "      --command-timeout duration   timeout for the command execution\n"
         "      --debug                      enable debug output\n"
         "  -h, --help                       help for skopeo\n"
         "      --insecure-policy            run the tool without any policy check\n"
         "      --override-arch ARCH         use ARCH instead of the architecture of the machine for choosing "
         "images\n"
         "      --override-os OS             use OS instead of the running OS for choosing images\n"
         "      --override-variant VARIANT   use VARIANT instead of the running architecture variant for "
         "choosing images\n"
         "      --policy string              Path to a trust policy file\n"
         "      --registries.d DIR           use registry configuration files in DIR (e.g. for container "
         "signature storage)\n"
         "      --tmpdir string              directory used to store temporary files\n"},
        {FROM(1, 22, 0), "      --user-agent-prefix string   prefix to add to the user agent string\n"},
        {ALL, "  -v, --version                    Version for Skopeo\n"},
};

static const struct line root_end_lines[] = {
        {ALL, "\nUse \"skopeo [command] --help\" for more information about a command.\n"},
};

static const struct line proxy_lines[] = {
        {ALL, "Run skopeo as a proxy, supporting HTTP requests to fetch manifests and blobs.\n"
              "\n"
              "Usage:\n"
              "skopeo experimental-image-proxy [command options] IMAGE\n"
              "\n"
              "Examples:\n"
              "skopeo experimental-image-proxy --sockfd 3\n"
              "\n"},
};

static const struct line proxy_flag_lines[] = {
        {ALL, "Flags:\n"},
        {BEFORE_RELEASE(1, 22, 0),
         "      --authfile string             path of the authentication file. Default is "
         "${XDG_RUNTIME_DIR}/containers/auth.json\n"},
        {FROM(1, 22, 0),
         "      --authfile string             path of the registry credentials file. Default is "
         "${XDG_RUNTIME_DIR}/containers/auth.json\n"},
        {ALL, "      --cert-dir PATH               use certificates at PATH (*.crt, *.cert, *.key) to connect "
              "to the "
              "registry or daemon\n"
              "      --creds USERNAME[:PASSWORD]   Use USERNAME[:PASSWORD] for accessing the registry\n"
              "      --daemon-host HOST            use docker daemon host at HOST (docker-daemon: only)\n"
              "  -h, --help                        help for experimental-image-proxy\n"
              "      --no-creds                    Access the registry anonymously\n"
              "      --password string             Password for accessing the registry\n"
              "      --registry-token string       Provide a Bearer token for accessing the registry\n"
              "      --shared-blob-dir DIRECTORY   DIRECTORY to use to share blobs across OCI repositories\n"
              "      --sockfd int                  Serve on opened socket pair (default 0/stdin)\n"
              "      --tls-verify                  require HTTPS and verify certificates when talking to the "
              "container registry or daemon\n"
              "      --username string             Username for accessing the registry\n"},
};

static const struct line proxy_end_lines[] = {
        {ALL, "\n"},
};

static const struct line own_lines[] = {
        {ALL,
         "A drop-in for skopeo's experimental-image-proxy in anybody's tests: faithful by default, faulty on "
         "request\n"
         "\n"
         "Usage:\n"
         "  cip-fakeproxy [flags] experimental-image-proxy [flags]   serve, called just as skopeo is\n"
         "  cip-fakeproxy check FILE ..                              say all that is wrong with scenarios\n"
         "  cip-fakeproxy schema                                     print the JSON Schema of scenarios\n"
         "  cip-fakeproxy format                                     print the tables of docs/scenarios.md\n"
         "  cip-fakeproxy quirks                                     list what emulated releases do wrong\n"
         "\n"
         "Images: oci:DIR[:TAG], oci-archive:FILE[:TAG], dir:DIR, docker-archive:FILE[:NAME|:@N], fake:NAME "
         "for\n"
         "the fixtures that it makes itself, and fake:scenario\n"
         "\n"
         "Own flags, anywhere on the command line, and the environment variables that say the same:\n"
         "      --emulate RELEASE|VERSION   CIP_FAKEPROXY_EMULATE   a release of skopeo with its quirks "
         "(1.9.3,\n"
         "                                                          1.18.0, 1.22.0), or a version of the "
         "protocol\n"
         "                                                          done right (0.2.3 to 0.2.8, the default)\n"
         "      --scenario FILE             CIP_FAKEPROXY_SCENARIO  do what this file says\n"
         "      --seed N                    CIP_FAKEPROXY_SEED      what is random, in place of the scenario's "
         "seed\n"
         "      --verdict FILE              CIP_FAKEPROXY_VERDICT   keep account of the client in this file\n"
         "      --upstream COMMAND          CIP_FAKEPROXY_UPSTREAM  stand before this server, and hand all on\n"
         "      --record FILE               CIP_FAKEPROXY_RECORD    write down what is said\n"
         "      --record-data               CIP_FAKEPROXY_RECORD_DATA  with the data of blobs, in FILE.data\n"
         "      --replay FILE               CIP_FAKEPROXY_REPLAY    say again what was recorded\n"
         "      --replay-any-order          CIP_FAKEPROXY_REPLAY_ANY_ORDER  whatever is asked first\n"
         "\n"
         "Called by the name skopeo (ln -s cip-fakeproxy skopeo) --help and --version answer as the emulated\n"
         "release does, whose flags, before the subcommand and behind it, are these:\n"
         "\n"},
};

static void print(FILE *to, const struct line *lines, size_t n, struct version release, const char *hidden)
{
        for (size_t i = 0; i < n; i++) {
                bool gone = (lines[i].until.major || lines[i].until.minor) &&
                            version_compare(release, lines[i].until) >= 0;

                gone |= hidden && strstr(lines[i].text, hidden);
                if (!gone && version_compare(release, lines[i].since) >= 0)
                        fputs(lines[i].text, to);
        }
}

#define PRINT(lines) print(to, (lines), ARRAY_SIZE(lines), release, hidden)

void help_root(FILE *to, struct version release, const char *hidden)
{
        PRINT(root_lines);
        PRINT(root_flag_lines);
        PRINT(root_end_lines);
}

void help_proxy(FILE *to, struct version release, const char *hidden)
{
        PRINT(proxy_lines);
        PRINT(proxy_flag_lines);
        PRINT(proxy_end_lines);
}

void help_own(FILE *to, struct version release, const char *hidden)
{
        PRINT(own_lines);
        PRINT(root_flag_lines);
        fputc('\n', to);
        PRINT(proxy_flag_lines);
}

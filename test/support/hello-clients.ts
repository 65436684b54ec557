import { execFile } from 'node:child_process'
import { cleanEnvironment } from './daemon.ts'

/** The way of one run: through this proxy, to port 443 of this host, with a folder of its own. */
export interface Way {
  readonly proxyPort: number
  readonly host: string
  readonly folder: string
}

/** A client of TLS with a stack, or settings, that the others do not have. */
export interface HelloClient {
  readonly name: string
  readonly program: string
  words (way: Way): readonly string[]
  /** Whether its hello has an encrypted one inside, or a decoy of it. */
  readonly hasEch?: boolean
  /** Its text for a person, when it gets the alert. */
  readonly says: { readonly unrecognized_name: string, readonly access_denied: string }
}

const openssl = { unrecognized_name: 'tlsv1 unrecognized name', access_denied: 'tlsv1 alert access denied' }

const nodeScript = `
const [port, host] = process.argv.slice(1)
require('http').request({ host: '127.0.0.1', port, method: 'CONNECT', path: host + ':443' }).on('connect', (_, socket) => {
  require('https').get({ socket, servername: host, agent: false }).on('error', (error) => console.error(error.message))
}).end()`

const pythonScript = `
import http.client, sys
client = http.client.HTTPSConnection('127.0.0.1', int(sys.argv[1]))
client.set_tunnel(sys.argv[2], 443)
client.request('GET', '/v2/')`

/** Clients that Debian has, each of which makes its hello in its own way. */
export const helloClients: readonly HelloClient[] = [
  openSslClient('openssl'),
  openSslClient('openssl with TLS 1.2', '-tls1_2'),
  openSslClient('openssl with TLS 1.3 and other groups', '-tls1_3', '-groups', 'P-521:X448:X25519'),
  {
    name: 'curl',
    program: 'curl',
    words: ({ host }) => ['-sS', `https://${host}/v2/`],
    says: openssl,
  },
  {
    name: 'skopeo, with Go\'s own TLS',
    program: 'skopeo',
    words: ({ host }) => ['inspect', `docker://${host}/app:1`],
    says: { unrecognized_name: 'remote error: tls: unrecognized name', access_denied: 'remote error: tls: access denied' },
  },
  {
    name: 'git, with GnuTLS',
    program: 'git',
    words: ({ host }) => ['ls-remote', `https://${host}/app.git`],
    says: { unrecognized_name: 'The server name sent was not recognized', access_denied: 'Access was denied' },
  },
  {
    name: 'node',
    program: 'node',
    words: ({ proxyPort, host }) => ['-e', nodeScript, String(proxyPort), host],
    says: openssl,
  },
  {
    name: 'python',
    program: 'python3',
    words: ({ proxyPort, host }) => ['-c', pythonScript, String(proxyPort), host],
    says: openssl,
  },
  {
    name: 'keytool, with Java\'s own TLS',
    program: 'keytool',
    // It keeps the reason to itself unless all is written out.
    words: ({ proxyPort, host }) => [
      '-J-Djavax.net.debug=ssl:handshake', '-J-Dhttps.proxyHost=127.0.0.1', `-J-Dhttps.proxyPort=${proxyPort}`,
      '-printcert', '-sslserver', `${host}:443`,
    ],
    says: {
      unrecognized_name: 'Received fatal alert: unrecognized_name',
      access_denied: 'Received fatal alert: access_denied',
    },
  },
  {
    name: 'chromium, with GREASE, ECH and a post-quantum key share',
    program: 'chromium',
    words: ({ proxyPort, host, folder }) => [
      '--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', `--user-data-dir=${folder}`, `--proxy-server=http://127.0.0.1:${proxyPort}`,
      '--enable-logging=stderr', '--dump-dom', `https://${host}/`,
    ],
    hasEch: true,
    // For an alert that it does not know, it has the text for all of them.
    says: { unrecognized_name: 'net::ERR_SSL_UNRECOGNIZED_NAME_ALERT', access_denied: 'net::ERR_SSL_PROTOCOL_ERROR' },
  },
]

/** `openssl s_client` with these flags. */
export function openSslClient (name: string, ...flags: readonly string[]): HelloClient {
  return {
    name,
    program: 'openssl',
    words: ({ proxyPort, host }) =>
      ['s_client', '-proxy', `127.0.0.1:${proxyPort}`, '-connect', `${host}:443`, ...flags],
    says: openssl,
  }
}

/** Runs a client to its end, a minute at most, and resolves with all that it has written. Never rejects. */
export async function runHelloClient ({ program, words }: HelloClient, way: Way): Promise<string> {
  const proxy = `http://127.0.0.1:${way.proxyPort}`
  const env = {
    ...cleanEnvironment(),
    NODE_OPTIONS: '',
    HOME: way.folder,
    HTTPS_PROXY: proxy,
    https_proxy: proxy,
    NO_PROXY: '',
    no_proxy: '',
  }
  return await new Promise((resolve) => {
    const child = execFile(program, words(way), { env, timeout: 60_000 }, (_error, stdout, stderr) => {
      resolve(stdout + stderr)
    })
    child.stdin?.end()
  })
}

import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'

/** A certificate and its key, PEM. */
export interface IssuedPair {
  readonly cert: string
  readonly key: string
}

export interface IssueOptions {
  /** As openssl wants it: `/O=Contoso/CN=device`. */
  readonly subject?: string
  /** Days from now; yesterday and thirty when absent. */
  readonly from?: number
  readonly to?: number
}

/** An authority that is kept with openssl, so that what it issues is somebody else's than the product's. */
export interface OpensslAuthority extends IssuedPair {
  issueClient (options?: IssueOptions): IssuedPair
  /** For the names, and for 127.0.0.1. */
  issueServer (names: readonly string[], options?: IssueOptions): IssuedPair
  /** A certificate that says nothing of what it is for. */
  issueForAll (options?: IssueOptions): IssuedPair
  /** An authority below this one. */
  issueAuthority (options?: IssueOptions): OpensslAuthority
  revoke (pair: IssuedPair): void
  /** The list of what is revoked by now, PEM. */
  issueList (options?: Pick<IssueOptions, 'from' | 'to'>): string
}

const authorityExtensions = 'basicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n'
const leafExtensions = 'basicConstraints=critical,CA:false\nkeyUsage=critical,digitalSignature\n'

/** A root with its files in a folder that the end of the test removes. */
export function createOpensslAuthority (t: Test, options: IssueOptions = {}): OpensslAuthority {
  const folder = mkdtempSync(join(tmpdir(), 'acr-egress-authority-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  return keepAuthority(folder, options)
}

/** Makes an authority in an empty folder: a root, or one that `parent` signs. */
function keepAuthority (
  folder: string, options: IssueOptions, parent?: (request: string, out: string) => void,
): OpensslAuthority {
  let count = 0
  const path = (name: string): string => join(folder, name)
  mkdirSync(path('new'))
  writeFileSync(path('index.txt'), '')
  writeFileSync(path('ca.cnf'), [
    '[ca]', 'default_ca = own', '[own]', `database = ${path('index.txt')}`, `new_certs_dir = ${path('new')}`,
    'rand_serial = yes', 'default_md = sha256', 'policy = any', 'unique_subject = no', 'string_mask = utf8only',
    `certificate = ${path('ca.crt')}`, `private_key = ${path('ca.key')}`,
    '[any]', 'countryName = optional', 'organizationName = optional', 'organizationalUnitName = optional',
    'commonName = optional',
  ].join('\n'))

  function request (name: string, { subject = `/CN=${name}` }: IssueOptions): string {
    openssl('req', '-new', '-utf8', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
      '-keyout', path(`${name}.key`), '-out', path(`${name}.csr`), '-subj', subject)
    return path(`${name}.csr`)
  }

  function sign (
    csr: string, out: string, extensions: string, { from = -1, to = 30 }: IssueOptions, ...more: string[]
  ): void {
    writeFileSync(path('ext.cnf'), extensions)
    openssl('ca', '-batch', '-utf8', '-notext', '-preserveDN', '-config', path('ca.cnf'), '-in', csr, '-out', out,
      '-extfile', path('ext.cnf'), '-startdate', formatTime(from), '-enddate', formatTime(to), ...more)
  }

  function issue (extensions: string, issueOptions: IssueOptions = {}): IssuedPair {
    const name = `leaf-${++count}`
    sign(request(name, issueOptions), path(`${name}.crt`), leafExtensions + extensions, issueOptions)
    return readPair(path(name))
  }

  const csr = request('ca', { subject: '/CN=root', ...options })
  if (parent === undefined) sign(csr, path('ca.crt'), authorityExtensions, options, '-selfsign')
  else parent(csr, path('ca.crt'))

  return {
    ...readPair(path('ca')),
    issueClient: (issueOptions) => issue('extendedKeyUsage=clientAuth\n', issueOptions),
    issueServer (names, issueOptions) {
      const alternatives = [...names.map((name, index) => `DNS.${index} = ${name}`), 'IP.0 = 127.0.0.1'].join('\n')
      return issue(`extendedKeyUsage=serverAuth\nsubjectAltName=@names\n[names]\n${alternatives}\n`, issueOptions)
    },
    issueForAll: (issueOptions) => issue('', issueOptions),
    issueAuthority (issueOptions = {}) {
      const below = path(`below-${++count}`)
      mkdirSync(below)
      return keepAuthority(below, { subject: '/CN=intermediate', ...issueOptions }, (request, out) => {
        sign(request, out, authorityExtensions, issueOptions)
      })
    },
    revoke (pair) {
      writeFileSync(path('revoked.crt'), pair.cert)
      openssl('ca', '-config', path('ca.cnf'), '-revoke', path('revoked.crt'))
    },
    issueList ({ from = -1, to = 30 } = {}) {
      return openssl('ca', '-config', path('ca.cnf'), '-gencrl', '-crl_lastupdate', formatTime(from), '-crl_nextupdate', formatTime(to))
    },
  }
}

function openssl (...words: string[]): string {
  return execFileSync('openssl', words, { stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' })
}

function readPair (path: string): IssuedPair {
  return { cert: readFileSync(`${path}.crt`, 'utf8'), key: readFileSync(`${path}.key`, 'utf8') }
}

/** So many days from now, as openssl writes times. */
function formatTime (days: number): string {
  return `${new Date(Date.now() + days * 86_400_000).toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`
}

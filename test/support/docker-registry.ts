import { spawn } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { mkdir, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:https'
import { type AddressInfo, connect } from 'node:net'
import { join, normalize } from 'node:path'
import { stringify } from 'yaml'
import { issueServerCertificate, type Authority } from '../../src/tls/certificates.ts'
import { findProgram } from './debian-parts.ts'
import { findFreePort } from './free-port.ts'

/** A real registry that sends clients to a data endpoint for layers, as Azure's does. */
export interface RealRegistry {
  /** Where the login server and the data endpoint listen, `IP:PORT`. */
  readonly login: string
  readonly data: string
  /** Paths that the data endpoint was asked for. */
  readonly layerRequests: readonly string[]
  close (): Promise<void>
}

export interface RealRegistryOptions {
  readonly loginServer: string
  readonly dataEndpoint: string
  /** An empty folder for its files. */
  readonly folder: string
  readonly authority: Authority
}

/**
 * Debian's docker-registry over a folder, with its redirect middleware: a request for a blob is answered with a 307 to
 * the data endpoint, an HTTPS server over the same folder.
 */
export async function startDockerRegistry (options: RealRegistryOptions): Promise<RealRegistry> {
  const { loginServer, dataEndpoint, folder, authority } = options
  const storage = join(folder, 'storage')
  await mkdir(storage)
  const hosts = [loginServer, dataEndpoint]
  const certificate = await issueServerCertificate({ authority, hosts, validDays: 1, now: new Date() })
  const layerRequests: string[] = []
  const data = createServer({ cert: certificate.chainPem, key: certificate.keyPem }, (request, response) => {
    const path = normalize(new URL(request.url ?? '/', 'https://data').pathname)
    layerRequests.push(path)
    stat(join(storage, path)).then(({ size }) => {
      response.setHeader('Content-Length', size)
      createReadStream(join(storage, path)).pipe(response)
    }, () => response.writeHead(404).end())
  })
  await new Promise<void>((resolve) => { data.listen(0, '127.0.0.1', resolve) })
  const dataPort = (data.address() as AddressInfo).port

  const port = await findFreePort()
  await writeFile(join(folder, 'server.crt'), certificate.chainPem)
  await writeFile(join(folder, 'server.key'), certificate.keyPem)
  await writeFile(join(folder, 'registry.yaml'), stringify({
    version: 0.1,
    log: { level: 'error' },
    storage: { filesystem: { rootdirectory: storage } },
    middleware: { storage: [{ name: 'redirect', options: { baseurl: `https://${dataEndpoint}/` } }] },
    http: {
      addr: `127.0.0.1:${port}`,
      host: `https://${loginServer}`,
      tls: { certificate: join(folder, 'server.crt'), key: join(folder, 'server.key') },
    },
  }))
  const program = findProgram('docker-registry') ?? 'docker-registry'
  const child = spawn(program, ['serve', join(folder, 'registry.yaml')], { stdio: 'ignore' })
  const ended = new Promise<void>((resolve) => { child.once('exit', () => resolve()) })
  await untilListening(port)
  return {
    login: `127.0.0.1:${port}`,
    data: `127.0.0.1:${dataPort}`,
    layerRequests,
    async close () {
      data.close()
      data.closeAllConnections()
      child.kill()
      await ended
    },
  }
}

async function untilListening (port: number): Promise<void> {
  const deadline = Date.now() + 10_000
  for (;;) {
    const socket = connect(port, '127.0.0.1')
    const isOpen = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true))
      socket.once('error', () => resolve(false))
    })
    socket.destroy()
    if (isOpen) return
    if (Date.now() > deadline) throw new Error('docker-registry does not listen within 10 s')
    await new Promise((resolve) => { setTimeout(resolve, 20) })
  }
}

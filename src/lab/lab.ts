import { issueAuthority, type Authority } from '../tls/certificates.ts'
import { createImage, type Image } from './image.ts'
import { loopback } from './loopback.ts'
import { createTableAnswers, startNameServer, type NameServer } from './name-server.ts'
import { startLabRegistry, type LabRegistry, type Listener } from './registry.ts'

const authorityDays = 30

/** The names of the lab's registry, for the gateway's configuration and for pulls. */
export const labNames = {
  loginServer: 'contoso.azurecr.io',
  region: 'eastus',
  dataEndpoint: 'contoso.eastus.data.azurecr.io',
  repository: 'samples/noise',
  tag: '1.0',
  /** Another registry, whose name leads to the cloud's metadata service: no gateway may follow it there. */
  hostileServer: 'fabrikam.azurecr.io',
} as const

export interface LabOptions {
  /** The size of each layer of the image in bytes. */
  readonly layers: readonly number[]
}

/** A small world on loopback: a name server, a registry with an image, and the authority that both trust. */
export interface Lab {
  /** What clients are to trust, PEM. */
  readonly ca: string
  /** Issues more certificates that the lab's clients trust. */
  readonly authority: Authority
  readonly nameServer: NameServer
  /** The registry's names and where each is served, `IP:PORT`, in the form of the gateway's `dns.hosts`. */
  readonly hosts: Readonly<Record<string, readonly string[]>>
  readonly registry: LabRegistry
  readonly image: Image
  /** Ends all of it. */
  close (): Promise<void>
}

/** Builds the lab; the caller closes it. Rejects when a part cannot start, with none left running. */
export async function startLab ({ layers }: LabOptions): Promise<Lab> {
  const { loginServer, dataEndpoint, repository, tag, hostileServer } = labNames
  const [authority, image] = await Promise.all([
    issueAuthority({ commonName: 'acr-egress lab', validDays: authorityDays, now: new Date() }),
    createImage({ layers, seed: `${loginServer}/${repository}:${tag}` }),
  ])
  const registry = await startLabRegistry({ loginServer, dataEndpoint, repository, tag, image, authority })
  try {
    const nameServer = await startNameServer({
      answers: createTableAnswers({
        [loginServer]: [loopback],
        [dataEndpoint]: [loopback],
        [hostileServer]: ['169.254.169.254'],
      }),
    })
    return {
      ca: authority.certificatePem,
      authority,
      nameServer,
      hosts: { [loginServer]: [formatListener(registry.login)], [dataEndpoint]: [formatListener(registry.data)] },
      registry,
      image,
      async close () {
        await Promise.all([nameServer.close(), registry.close()])
      },
    }
  } catch (error) {
    await registry.close()
    throw error
  }
}

function formatListener ({ address, port }: Listener): string {
  return `${address}:${port}`
}

import { stringify } from 'yaml'
import { type Lab, labNames } from '../../src/lab/lab.ts'

/** A configuration file's text for a gateway in front of the lab, on free ports of loopback. */
export function labConfiguration ({ hosts, nameServer }: Pick<Lab, 'hosts' | 'nameServer'>, more: object = {}): string {
  return stringify({
    registries: [{
      loginServer: labNames.loginServer,
      regions: [labNames.region],
      privateEndpoints: ['127.0.0.0/8'],
    }],
    listen: { address: '127.0.0.1', port: 0 },
    admin: { address: '127.0.0.1', port: 0 },
    dns: { servers: [`${nameServer.address}:${nameServer.port}`], hosts },
    ...more,
  })
}

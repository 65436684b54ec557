import { readAction } from './args.ts'
import { type CertificatePlan, certificateFlags, explainProblem } from './certificate-request.ts'
import { clientHelp, planClient } from './certs-client.ts'
import { initHelp, planServer } from './certs-init.ts'
import type { Command } from './command.ts'
import { exitCode } from './exit-code.ts'
import type { Help } from './help.ts'
import type * as Certificates from '../tls/certificates.ts'

const help = {
  paragraphs: [
    'Makes certificates for TLS between clients and the gateway (HTTPS_PROXY=https://gateway.example:443), by ' +
      'authorities of your own. What ends in .key is a secret, and written with mode 0600.',
  ],
  actions: { init: initHelp, client: clientHelp },
  flags: certificateFlags,
  exits: {
    [exitCode.ok]: 'the files are written',
    [exitCode.usage]: 'bad usage, or the files cannot be written or used again',
  },
  examples: [
    {
      purpose: 'Make a certificate for a name and an address, in ./certs',
      line: 'acr-egress certs init --host gateway.example --host 10.0.0.4',
    },
    {
      purpose: 'Renew it by the same authority, once a year; a gateway that runs takes it by itself',
      line: 'acr-egress certs init --host gateway.example --dir /etc/acr-egress/certs --force',
    },
    {
      purpose: 'Make a certificate for a device, where clients must have one',
      line: 'acr-egress certs client --name line1 --dir /etc/acr-egress/certs',
    },
  ],
} as const satisfies Help

type Plan = (argv: readonly string[], certificates: typeof Certificates) => CertificatePlan
const plans: Readonly<Record<keyof typeof help.actions, Plan>> = { init: planServer, client: planClient }

/** `acr-egress certs`: authorities of one's own and what they issue, for the TLS listener. */
export const certsCommand: Command = {
  help,

  async run ([action, ...argv], terminal) {
    const plan = plans[readAction('certs', help, action)]
    // Only this command issues certificates; no other is to carry the weight of forge.
    const { issue, ...place } = plan(argv, await import('../tls/certificates.ts'))
    try {
      terminal.stdout.write(await issue())
      return exitCode.ok
    } catch (error) {
      const problem = explainProblem(error, place)
      if (problem === undefined) throw error
      terminal.stderr.write(`acr-egress certs: ${problem}\n`)
      return exitCode.usage
    }
  },
}

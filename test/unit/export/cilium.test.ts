import t from 'tap'
import { parse } from 'yaml'
import { renderCilium } from '../../../src/export/cilium.ts'
import { contoso, exportSources } from '../../support/export-sources.ts'

interface Policy {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string }
  readonly spec: {
    readonly endpointSelector: { readonly matchLabels: object }
    readonly egress: ReadonlyArray<Readonly<Record<string, unknown>>>
  }
}

const sources = exportSources({
  registries: [{ ...contoso, storage: 'any' }],
  extraHosts: ['packages.example.com'],
  plainHosts: ['crl.example.com'],
})
const text = renderCilium(sources)
const policy = parse(text) as Policy

t.test('exact names are matchName, wildcards matchPattern, each port by itself', async (t) => {
  t.same(policy.spec.egress.slice(1), [
    {
      toFQDNs: [
        { matchName: 'contoso.azurecr.io' },
        { matchName: 'azurecr.io' },
        { matchName: 'contoso.eastus.data.azurecr.io' },
        { matchPattern: '*.blob.core.windows.net' },
        { matchName: 'packages.example.com' },
      ],
      toPorts: [{ ports: [{ port: '443', protocol: 'TCP' }] }],
    },
    { toFQDNs: [{ matchName: 'crl.example.com' }], toPorts: [{ ports: [{ port: '80', protocol: 'TCP' }] }] },
  ])
})

t.test('DNS goes through Cilium\'s proxy, without which toFQDNs learns no addresses', async (t) => {
  t.same(policy.spec.egress[0], {
    toEndpoints: [{ matchLabels: { 'k8s:io.kubernetes.pod.namespace': 'kube-system', 'k8s:k8s-app': 'kube-dns' } }],
    toPorts: [{ ports: [{ port: '53', protocol: 'ANY' }], rules: { dns: [{ matchPattern: '*' }] } }],
  })
})

t.test('only pods with its label are meant, so that loading it shuts nobody out', async (t) => {
  t.match(policy, { apiVersion: 'cilium.io/v2', kind: 'CiliumNetworkPolicy', metadata: { name: 'acr-egress' } })
  t.same(policy.spec.endpointSelector, { matchLabels: { 'acr-egress': 'allowed' } })
})

t.test('it says what * is, what names that rotate do to it, and that nodes pull images past it', async (t) => {
  const words = text.replaceAll(/\n# /g, ' ')
  t.match(words, '* is any characters but a dot, also none: one label.')
  t.match(words, 'A connection to one that Cilium has not seen, or has forgotten, is dropped')
  t.match(words, 'Images of pods are pulled by the node')
  t.notMatch(renderCilium(exportSources()), '* is any characters')
})

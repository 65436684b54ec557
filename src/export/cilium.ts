import { commentOut, describeOpenStorage, describeOrigin } from './remarks.ts'
import type { Rule } from '../policy/rule.ts'
import { type ExportSources, type PortRules, groupByPort } from './sources.ts'

/** A CiliumNetworkPolicy for the pods that carry its label; all others are left alone. */
export function renderCilium (sources: ExportSources): string {
  return [
    ...commentOut(describe(sources)),
    'apiVersion: cilium.io/v2',
    'kind: CiliumNetworkPolicy',
    'metadata:',
    '  name: acr-egress',
    'spec:',
    '  # {} would be every pod of the namespace. Whatever a pod may do besides needs a policy of its own.',
    '  endpointSelector:',
    '    matchLabels:',
    '      acr-egress: allowed',
    '  egress:',
    '    # Cilium learns the addresses of names from the answers that pass here: toFQDNs does nothing without this rule.',
    '    # "*" since clients also ask with the search suffixes of the cluster, and some give up at a refusal.',
    '    - toEndpoints:',
    '        - matchLabels:',
    '            k8s:io.kubernetes.pod.namespace: kube-system',
    '            k8s:k8s-app: kube-dns',
    '      toPorts:',
    '        - ports:',
    '            - port: "53"',
    '              protocol: ANY',
    '          rules:',
    '            dns:',
    '              - matchPattern: "*"',
    ...groupByPort(sources.rules).flatMap(renderPort),
    '',
  ].join('\n')
}

function describe (sources: ExportSources): readonly string[] {
  const hasWildcard = sources.rules.some(({ wildcard }) => wildcard)
  return [
    'The way to Azure container registries, for Cilium: a policy of a namespace.',
    '',
    ...describeOrigin(sources),
    '',
    'To check it:  kubectl apply --namespace NAMESPACE --dry-run=server -f FILE',
    'To load it:   kubectl apply --namespace NAMESPACE -f FILE',
    'To use it:    label the pods acr-egress=allowed; from then on they reach these names and DNS, and nothing else',
    'To look:      hubble observe --namespace NAMESPACE --verdict DROPPED',
    '',
    'What it cannot say:',
    'It is for pods. Images of pods are pulled by the node, which no policy of a namespace filters.',
    'Cilium compares names when they are looked up, and lets the addresses of the answer through: whatever else is served there, too.',
    'The addresses of registries change within seconds. A connection to one that Cilium has not seen, or has forgotten, is dropped; see --tofqdns-min-ttl.',
    ...hasWildcard
      ? ['* is any characters but a dot, also none: one label. Its many addresses fill Cilium\'s tables.']
      : [],
    ...describeOpenStorage(sources.rules),
    'Where DNS is not kube-dns in kube-system (OpenShift, NodeLocal DNSCache), change that rule.',
    'Service tags are not looked at, so it does not change with them. Private endpoints are found by their names.',
  ]
}

function renderPort ({ port, rules }: PortRules): readonly string[] {
  return [
    '    - toFQDNs:',
    ...rules.map(renderName),
    '      toPorts:',
    '        - ports:',
    `            - port: "${port}"`,
    '              protocol: TCP',
  ]
}

function renderName ({ wildcard, pattern }: Rule): string {
  return `        - ${wildcard ? 'matchPattern' : 'matchName'}: "${pattern}"`
}

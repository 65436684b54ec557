import type { CommandEntry } from './command.ts'

/** Every command of `acr-egress`, in the order of its help. */
export const commands: readonly CommandEntry[] = [
  {
    name: 'serve',
    summary: 'run the gateway',
    load: async () => (await import('./serve.ts')).serveCommand,
  },
  {
    name: 'check',
    summary: 'validate the configuration and print the effective allowlist',
    load: async () => (await import('./check.ts')).checkCommand,
  },
  {
    name: 'explain',
    summary: 'say whether a host would be let through, and why',
    load: async () => (await import('./explain.ts')).explainCommand,
  },
  {
    name: 'doctor',
    summary: 'walk the path of a pull step by step, and say what is wrong',
    load: async () => (await import('./doctor.ts')).doctorCommand,
  },
  {
    name: 'import',
    summary: 'turn the output of az acr show-endpoints into a configuration',
    load: async () => (await import('./import.ts')).importCommand,
  },
  {
    name: 'tags',
    summary: 'show, compare and fetch Microsoft\'s service tags',
    load: async () => (await import('./tags.ts')).tagsCommand,
  },
  {
    name: 'export',
    summary: 'write the same rules for another firewall',
    load: async () => (await import('./export.ts')).exportCommand,
  },
  {
    name: 'certs',
    summary: 'make a CA and a server certificate for the TLS listener',
    load: async () => (await import('./certs.ts')).certsCommand,
  },
  {
    name: 'client',
    summary: 'print or write the files that make a client use the gateway',
    load: async () => (await import('./client.ts')).clientCommand,
  },
  {
    name: 'demo',
    summary: 'pull an image through a gateway from a registry look-alike',
    load: async () => (await import('./demo.ts')).demoCommand,
  },
  {
    name: 'completion',
    summary: 'print a completion script for bash, zsh or fish',
    load: async () => (await import('./completion.ts')).createCompletionCommand(commands),
  },
]

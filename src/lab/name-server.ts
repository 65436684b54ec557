import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, isIP, type Server, type Socket } from 'node:net'
import {
  encodeQuestion, encodeResponse, parseQuery, type DnsQuery, type DnsRecord, type ResponseCode,
} from './dns-message.ts'
import { listenOnLoopback, loopback, type LoopbackServer } from './loopback.ts'

/** Ports that are free for UDP are nearly always free for TCP; so many misses mean that something else is wrong. */
const maxPortAttempts = 20
const maxRememberedQuestions = 10_000
const maxTcpConnections = 128
const tcpIdleTimeoutMs = 10_000
/** No question is longer: a name of 255 bytes, a header and an EDNS record with options. */
const maxTcpQueryBytes = 4096
/** Azure's own address records live 10 seconds. */
const defaultTtl = 10

/** A question as `answers` is given it. */
export interface NameQuestion {
  /** Lower case, without the last dot. */
  readonly name: string
  /** `A`, `AAAA` …, or `TYPE123`. */
  readonly type: string
}

/** What the name server does with one question: a good answer, a bad one, or none. */
export interface NameAnswer {
  /** IPv4 and IPv6 as they come; each question gets those of its type. */
  readonly addresses?: readonly string[]
  /** Seconds; 10 when absent. */
  readonly ttl?: number
  /** The aliases on the way to the addresses, in order; the last one owns them. TTLs in seconds. */
  readonly cname?: ReadonlyArray<{ readonly name: string, readonly ttl: number }>
  readonly rcode?: ResponseCode
  /** Says nothing at all. */
  readonly silent?: boolean
  readonly delayMs?: number
  /** Over UDP answers only that the answer is too long, so that the asker comes again over TCP. */
  readonly truncate?: boolean
  /** Answers with the id of another question. */
  readonly wrongId?: boolean
  /** Answers as if another name had been asked for. */
  readonly wrongQuestion?: boolean
}

export interface NameServerOptions {
  /** Called once for each question; if it throws, the answer is SERVFAIL. */
  readonly answers: (question: NameQuestion) => NameAnswer
}

/** A question that was asked. */
export interface AskedQuestion extends NameQuestion {
  readonly transport: 'udp' | 'tcp'
}

/** A running name server. */
export interface NameServer {
  readonly address: string
  /** The same for UDP and TCP. */
  readonly port: number
  /** The last 10,000 questions, oldest first. */
  readonly questions: readonly AskedQuestion[]
  /** How many of them asked for this name, and this type if one is given. */
  countQuestions (name: string, type?: string): number
  /** Ends both sockets, open connections and delayed answers. */
  close (): Promise<void>
}

/** Answers from a table of names (lower case) and their addresses; a name that is not in it does not exist. */
export function createTableAnswers (
  table: Readonly<Record<string, readonly string[]>>, ttl = defaultTtl,
): (question: NameQuestion) => NameAnswer {
  const byName = new Map(Object.entries(table))
  return ({ name }) => {
    const addresses = byName.get(name)
    return addresses === undefined ? { rcode: 'NXDOMAIN' } : { addresses, ttl }
  }
}

/**
 * Starts a name server on loopback, UDP and TCP on one port. What is no proper question gets no answer.
 * The caller closes it. Rejects when no port is free for both.
 */
export async function startNameServer ({ answers }: NameServerOptions): Promise<NameServer> {
  const questions: AskedQuestion[] = []
  const timers = new Set<NodeJS.Timeout>()

  const answer: Answer = (message, transport, send) => {
    const query = parseQuery(message)
    if (query === undefined) return false
    const question = { name: query.name.toLowerCase(), type: query.type }
    questions.push({ ...question, transport })
    if (questions.length > maxRememberedQuestions) questions.shift()
    const { response, delayMs } = respond(query, question, transport, answers)
    if (response === undefined) return true
    if (delayMs === 0) send(response)
    else sendLater(timers, delayMs, () => send(response))
    return true
  }

  const { udp, tcp } = await bindOnePort(createServer({ noDelay: true }, (socket) => serveTcp(socket, answer)))
  udp.on('message', (message, asker) => {
    answer(message, 'udp', (response) => udp.send(response, asker.port, asker.address))
  })
  udp.on('error', ignoreSendFailure)
  return {
    address: loopback,
    port: tcp.port,
    questions,
    countQuestions: (name, type) =>
      questions.filter((asked) => asked.name === name && (type === undefined || asked.type === type)).length,
    async close () {
      for (const timer of timers) clearTimeout(timer)
      timers.clear()
      udp.close()
      await tcp.close()
    },
  }
}

/** Answers one message through `send`, now or later or not at all; false when it is no question. */
type Answer = (message: Buffer, transport: 'udp' | 'tcp', send: (response: Buffer) => void) => boolean

function sendLater (timers: Set<NodeJS.Timeout>, delayMs: number, send: () => void): void {
  const timer = setTimeout(() => {
    timers.delete(timer)
    send()
  }, delayMs)
  timers.add(timer)
}

function respond (
  query: DnsQuery, question: NameQuestion, transport: 'udp' | 'tcp', answers: NameServerOptions['answers'],
): { response?: Buffer, delayMs: number } {
  try {
    const answer = answers(question)
    const { delayMs = 0 } = answer
    return answer.silent === true ? { delayMs } : { response: encodeAnswer(query, answer, transport), delayMs }
  } catch {
    return { response: encodeAnswer(query, { rcode: 'SERVFAIL' }, transport), delayMs: 0 }
  }
}

function encodeAnswer (query: DnsQuery, answer: NameAnswer, transport: 'udp' | 'tcp'): Buffer {
  const content = {
    id: answer.wrongId === true ? query.id ^ 0xffff : query.id,
    question: answer.wrongQuestion === true ? encodeQuestion(`not.${query.name}`, query.type) : query.question,
    code: answer.rcode ?? 'NOERROR',
    records: listRecords(query, answer),
  }
  const whole = encodeResponse(query, { ...content, truncated: false })
  const fits = transport === 'tcp' || (whole.length <= query.maxUdpBytes && answer.truncate !== true)
  return fits ? whole : encodeResponse(query, { ...content, truncated: true })
}

function listRecords (query: DnsQuery, { addresses = [], cname = [], ttl = defaultTtl }: NameAnswer): DnsRecord[] {
  const records: DnsRecord[] = []
  let { name } = query
  for (const alias of cname) {
    records.push({ type: 'CNAME', name, ttl: alias.ttl, target: alias.name })
    name = alias.name
  }
  for (const address of addresses) {
    const type = isIP(address) === 4 ? 'A' : 'AAAA'
    if (type === query.type) records.push({ type, name, ttl, address })
  }
  return records
}

/** RFC 1035 section 4.2.2: each message behind its length in two bytes; several may follow each other. */
function serveTcp (socket: Socket, answer: Answer): void {
  let received: Buffer = Buffer.alloc(0)
  socket.setTimeout(tcpIdleTimeoutMs, () => socket.destroy())
  socket.on('error', () => socket.destroy())
  socket.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk])
    while (received.length >= 2) {
      const end = 2 + received.readUInt16BE(0)
      if (end <= maxTcpQueryBytes && received.length < end) return
      const isQuestion = end <= maxTcpQueryBytes &&
        answer(received.subarray(2, end), 'tcp', (response) => sendFramed(socket, response))
      if (!isQuestion) {
        socket.destroy()
        return
      }
      received = received.subarray(end)
    }
  })
}

function sendFramed (socket: Socket, response: Buffer): void {
  if (!socket.writable) return
  const length = Buffer.alloc(2)
  length.writeUInt16BE(response.length, 0)
  socket.write(Buffer.concat([length, response]))
}

async function bindOnePort (server: Server): Promise<{ udp: UdpSocket, tcp: LoopbackServer }> {
  server.maxConnections = maxTcpConnections
  for (let attempt = 1; ; attempt++) {
    const udp = createSocket('udp4')
    udp.bind(0, loopback)
    await once(udp, 'listening')
    try {
      return { udp, tcp: await listenOnLoopback(server, udp.address().port) }
    } catch (error) {
      udp.close()
      if (attempt === maxPortAttempts) throw error
    }
  }
}

/** The asker has gone; a resolver treats that as it treats a lost packet. */
function ignoreSendFailure (): void {}

import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { clientKey } from '../net/client-key.ts'
import { type Listed, type Roster, enlist, strike } from '../net/roster.ts'
import { createTally } from '../net/tally.ts'
import type { Client } from './client.ts'

/** A connection from its opening until it is closed, or out of Node's hands. */
export interface Connection extends Listed {
  /** A load balancer, until it has said whose connection this is. */
  client: Client
  readonly socket: Socket
  /** Set once an answer in HTTP would be understood: some clear text has come, or TLS is up. */
  stream?: Duplex
  /** Heads that have been read from it. */
  requests: number
  /** How many bytes it had sent when it was last told to ask anew. */
  answeredAtByte?: number
  /** Runs while the connection is the listener's; `connections.ts` alone sets it. */
  timer?: NodeJS.Timeout | undefined
  /** Whom it counts for, once it does; likewise. */
  countedFor?: string
}

/** On whose connections there is a limit: all together, and those of each client. */
export const connectionLimits = ['gateway', 'client'] as const

/** What is counted; the verbs of the metrics. */
export interface ConnectionEvents {
  connectionOpened (): void
  connectionClosed (): void
  /** One was closed as it came, since there were as many as there may be. */
  connectionDropped (limit: typeof connectionLimits[number]): void
}

/** The connections of a listener: each with a time to say what it wants, and so many of each client. */
export interface Connections {
  /**
   * Takes on a socket, which is the listener's until it is claimed. It counts for the client at once, unless that is
   * not known yet; `undefined` when the client has as many as it may, and the socket is destroyed.
   */
  open (socket: Socket, client: Client, isClientKnown: boolean): Connection | undefined
  /** Counts a connection for its client; false when that has as many as it may, and the connection is destroyed. */
  countForClient (connection: Connection): boolean
  /** The connection that a socket is, or that a stream is over. */
  find (stream: Duplex): Connection | undefined
  /** Has `find` know that a stream is over a connection. */
  carry (connection: Connection, stream: Duplex): void
  /** Takes a connection out of the listener's hands; only the first who asks gets it. */
  claim (stream: Duplex): Connection | undefined
  /** Gives one that was claimed back to the listener, with as much time as at first. */
  takeBack (connection: Connection): void
  /** Destroys all, the claimed ones too. */
  destroyAll (): void
}

export interface ConnectionsOptions {
  readonly maxPerClient: number
  /** How long a connection may be the listener's, in milliseconds. */
  readonly timeoutMs: number
  readonly events: ConnectionEvents
  /** The time is up; the connection is claimed. */
  readonly onExpired: (connection: Connection) => void
}

/** On the stream itself, for what roster.ts says of maps. */
const connectionOf = Symbol('connection')
type Owned = Duplex & { [connectionOf]?: Connection }

/** No connections yet. Each frees what it has here when its socket closes. */
export function createConnections ({ maxPerClient, timeoutMs, events, onExpired }: ConnectionsOptions): Connections {
  const connections: Roster<Connection> = []
  const byClient = createTally()

  function expire (connection: Connection): void {
    stopTimer(connection)
    onExpired(connection)
  }

  function closed (this: Socket): void {
    const connection = (this as Owned)[connectionOf]
    if (connection === undefined) return
    stopTimer(connection)
    strike(connections, connection)
    if (connection.countedFor !== undefined) byClient.remove(connection.countedFor)
    events.connectionClosed()
  }

  function countForClient (connection: Connection): boolean {
    const key = clientKey(connection.client.address)
    if (byClient.count(key) >= maxPerClient) {
      events.connectionDropped('client')
      // Before the first byte there is no telling what would be understood.
      connection.socket.destroy()
      return false
    }
    byClient.add(key)
    connection.countedFor = key
    return true
  }

  return {
    countForClient,

    open (socket, client, isClientKnown) {
      const connection: Connection = { client, socket, index: -1, requests: 0 }
      if (isClientKnown && !countForClient(connection)) return undefined
      connection.timer = setTimeout(expire, timeoutMs, connection)
      enlist(connections, connection)
      ;(socket as Owned)[connectionOf] = connection
      events.connectionOpened()
      // Whoever has the connection sees it close; that it closed by an error matters to the relay only, which looks.
      socket.on('error', ignoreError)
      socket.once('close', closed)
      return connection
    },

    find: (stream: Owned) => stream[connectionOf],
    carry: (connection, stream: Owned) => { stream[connectionOf] = connection },

    claim (stream: Owned) {
      const connection = stream[connectionOf]
      return connection !== undefined && stopTimer(connection) ? connection : undefined
    },

    takeBack (connection) {
      connection.timer = setTimeout(expire, timeoutMs, connection)
    },

    destroyAll () {
      for (const { socket } of [...connections]) socket.destroy()
    },
  }
}

function ignoreError (): void {}

/** Whether it ran. */
function stopTimer (connection: Connection): boolean {
  if (connection.timer === undefined) return false
  clearTimeout(connection.timer)
  connection.timer = undefined
  return true
}

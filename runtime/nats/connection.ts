// One connection to NATS: made, checked for what the product needs of a server, and its faults told in words.
import { connect, errors, type NatsConnection } from 'nats'
import type { NatsOptions } from '../../protocol/config/nats.js'
import { MillraceError, saidOf, systemCode } from '../../protocol/errors.js'
import { authenticatorOf, type SignInOptions, tlsOf } from './sign-in.js'

export type ConnectOptions = SignInOptions &
  Pick<NatsOptions, 'connect_timeout'> &
  Partial<Pick<NatsOptions, 'inbox_prefix'>>

/** Oldest server: per-message metadata of streams and the micro protocol's present form came with it. */
export const VERSION_MIN = '2.10.0'
/** A configuration section or a list of counts must fit into one message. */
export const PAYLOAD_BYTES_MIN = 256 * 1024
/** A cut cable is noticed after two of these. */
const PING_EVERY_MS = 5000
const PINGS_UNANSWERED_MAX = 2

/**
 * Tries each server once. The connection ends with its socket and is never mended by the library: subscriptions, watches and the
 * service are made anew by one path, on a fresh connection (see link.ts).
 * Throws `nats.unreachable`, `nats.credentials`, `nats.tls`, `nats.version`, `nats.payload`, and `config.*` for files.
 */
export async function connectNats(
  options: ConnectOptions,
  name: string,
  payloadBytesMin = PAYLOAD_BYTES_MIN,
): Promise<NatsConnection> {
  const authenticator = authenticatorOf(options)
  const tls = tlsOf(options)
  let connection: NatsConnection
  try {
    connection = await connect({
      servers: options.servers.map((server) => server.replace(/\/$/, '')),
      name,
      timeout: options.connect_timeout,
      reconnect: false,
      pingInterval: PING_EVERY_MS,
      maxPingOut: PINGS_UNANSWERED_MAX,
      noAsyncTraces: true,
      ...(options.inbox_prefix === undefined ? {} : { inboxPrefix: options.inbox_prefix }),
      ...(authenticator === undefined ? {} : { authenticator }),
      ...(tls === undefined ? {} : { tls }),
    })
  } catch (error) {
    throw connectFault(options, error)
  }
  const fault = serverFault(connection, payloadBytesMin)
  if (fault === undefined) return connection
  await connection.close()
  throw fault
}

function serverFault(connection: NatsConnection, payloadBytesMin: number): MillraceError | undefined {
  const { version = '0.0.0', max_payload = 0 } = connection.info ?? {}
  const server = connection.getServer()
  if (isOlder(version, VERSION_MIN)) {
    const text = `NATS ${server} is version ${version}, and ${VERSION_MIN} or newer is needed; update the server`
    return new MillraceError('nats.version', text)
  }
  if (max_payload >= payloadBytesMin) return undefined
  const text = `NATS ${server} takes messages of up to ${max_payload} bytes, and ${payloadBytesMin} are needed; raise max_payload in its configuration`
  return new MillraceError('nats.payload', text)
}

/** Is `version` older than `least`? What follows the three numbers does not count. */
export function isOlder(version: string, least: string): boolean {
  const parts = (text: string) => text.split(/[.-]/, 3).map((part) => Number.parseInt(part, 10) || 0)
  const [own, wanted] = [parts(version), parts(least)]
  const differs = own.findIndex((part, at) => part !== wanted[at])
  return differs >= 0 && (own[differs] as number) < (wanted[differs] as number)
}

/** A connection's fault in words: the server, what it said, and the way out. Secrets are in none of them. */
export function connectFault(options: ConnectOptions, error: unknown): MillraceError {
  if (error instanceof MillraceError) return error
  const inner = error instanceof Error && error.cause instanceof MillraceError ? error.cause : undefined
  if (inner !== undefined) return inner
  const servers = options.servers.join(', ')
  const said = saidOf(error)
  const fail = (code: string, text: string) => new MillraceError(code, text, { cause: error })
  if (
    error instanceof errors.AuthorizationError ||
    error instanceof errors.UserAuthenticationExpiredError ||
    /authorization violation|authentication/i.test(said)
  ) {
    const text = `NATS ${servers} refuses ${signsInWith(options)} (${said}); correct them in the section nats, or on the server`
    return fail('nats.credentials', text)
  }
  const code = systemCode(error) ?? said
  if (/cert|tls|ssl|self.signed|altname/i.test(`${code} ${said}`)) {
    return fail(
      'nats.tls',
      `NATS ${servers}: the TLS connection failed (${said}); look at nats.tls and the server's certificate`,
    )
  }
  return fail(
    'nats.unreachable',
    `NATS ${servers} can not be reached (${code}); start it, or correct nats.servers`,
  )
}

function signsInWith(options: ConnectOptions): string {
  if (options.creds_file !== undefined) return `the credentials of ${options.creds_file}`
  if (options.nkey_file !== undefined) return `the nkey of ${options.nkey_file}`
  if (options.token !== undefined || options.token_file !== undefined) return 'the token'
  return options.username === undefined
    ? 'a connection without credentials'
    : `user ${options.username} and the password`
}

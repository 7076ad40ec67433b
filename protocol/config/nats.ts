// The options of the connection to NATS: servers, how to sign in, TLS, and the limits of what is kept there.
import { z } from 'zod'
import { duration, path, secret, size } from './values.js'

const server = z
  .string()
  .regex(
    /^(?:(?:nats|tls):\/\/)?(?:[^\s/@:]+|\[[0-9A-Fa-f:]+\])(?::\d{1,5})?\/?$/,
    'expected an address such as nats://127.0.0.1:4222, without credentials (token_file, creds_file, username and password_file are for those)',
  )

const tls = z
  .strictObject({
    ca_file: path()
      .optional()
      .describe("Certificates that the server's must come from; left out: the system's"),
    cert_file: path().optional().describe('Certificate of this client, for mutual TLS'),
    key_file: path().optional().describe('Its key'),
    first: z.boolean().default(false).describe("TLS before the server's greeting (its `handshake_first`)"),
  })
  .optional()
  .describe('TLS to the servers; an address with tls:// demands it too')

const streams = z
  .strictObject({
    replicas: z
      .number()
      .int()
      .min(1)
      .max(5)
      .optional()
      .describe(
        'Copies of each stream and bucket; left out: 3 on a cluster of servers that has them, else 1',
      ),
    logs_bytes_max: size('10GiB', { min: '1MiB' }).describe('Bound of the stream MILLRACE_LOGS'),
    logs_age_max: duration('0s').describe(
      'Frames older than this leave MILLRACE_LOGS even where a backend lacks them; 0s: never',
    ),
    dead_letters_bytes_max: size('1GiB', { min: '1MiB' }).describe(
      'Bound of the stream MILLRACE_DLQ; at the bound letters stay in the folders of their nodes',
    ),
    dead_letters_age_max: duration('0s').describe(
      'Letters older than this leave MILLRACE_DLQ and are lost; 0s: never',
    ),
    captures_bytes_max: size('10GiB', { min: '1MiB' }).describe('Bound of the bucket millrace-captures'),
  })
  .prefault({})

export const nats = z
  .strictObject({
    servers: z
      .array(server)
      .min(1)
      .describe('Addresses such as nats://127.0.0.1:4222; one that answers is taken'),
    creds_file: path().optional().describe('Credentials file (JWT and seed) of a decentralised account'),
    nkey_file: path().optional().describe('File with the seed of an nkey (`SU…`)'),
    token: secret().optional().describe('Token; token_file is better'),
    token_file: path().optional().describe('File with the token'),
    username: z.string().min(1).optional().describe('User name'),
    password: secret().optional().describe('Password; password_file is better'),
    password_file: path().optional().describe('File with the password'),
    inbox_prefix: z
      .string()
      .regex(
        /^[\w-]+(?:\.[\w-]+)*$/,
        'expected tokens of letters, digits, - and _ with dots between them, such as _INBOX.look',
      )
      .default('_INBOX')
      .describe(
        'What answers come to: subjects below it. One for each user, such as `_INBOX.look`, and granted to that user alone, keeps what one is answered from the others',
      ),
    tls,
    control: z
      .enum(['change', 'read'])
      .default('change')
      .describe(
        'Verbs taken over NATS: read = only those that change nothing, whatever the permissions of the account say',
      ),
    connect_timeout: duration('5s', { min: '100ms', max: '1m' }).describe('Bound of one try to connect'),
    retry: z
      .strictObject({
        initial: duration('200ms', { min: '10ms' }).describe('Longest first wait before the next try'),
        max: duration('10s', { min: '10ms', max: '5m' }).describe('Longest wait; jittered, tried for ever'),
      })
      .prefault({}),
    streams,
  })
  .optional()
  .describe('NATS servers; left out: the node stands alone')
export type NatsOptions = NonNullable<z.output<typeof nats>>

// Every way to sign in, and TLS, with a real nats-server: the right one works, a wrong one is told in words that name the way out.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { nkeys } from 'nats'
import { nats as natsSchema, type NatsOptions } from '../../protocol/config/nats.js'
import { connectNats } from '../../runtime/nats/connection.js'
import { type OwnNats, startOwnNats } from './servers/own-nats.js'

const LIMIT = { timeout: 60_000 }
const folder = mkdtempSync(path.join(tmpdir(), 'millrace-sign-in-'))
const servers: OwnNats[] = []
after(async () => {
  for (const server of servers) await server.remove()
  rmSync(folder, { recursive: true, force: true })
})

async function serve(config: string): Promise<OwnNats> {
  const server = await startOwnNats({ config })
  servers.push(server)
  return server
}

function file(name: string, text: string): string {
  const at = path.join(folder, name)
  writeFileSync(at, text, { mode: 0o600 })
  return at
}

type Stated = Readonly<Record<string, unknown>>

function optionsOf(server: OwnNats, stated: Stated, url = server.url): NatsOptions {
  const options = natsSchema.parse({ servers: [url], ...stated })
  assert.ok(options !== undefined)
  return options
}

/** Signs in and asks the server something. */
async function signsIn(options: NatsOptions): Promise<void> {
  const connection = await connectNats(options, 'test')
  await connection.flush()
  await connection.close()
}

async function isRefused(options: NatsOptions, code: string, says: RegExp): Promise<void> {
  await assert.rejects(connectNats(options, 'test'), (error: Error & { code: string }) => {
    assert.equal(error.code, code, error.message)
    assert.match(error.message, says)
    return true
  })
}

test('a user and a password, and a token', LIMIT, async () => {
  const byName = await serve('authorization { user: node, password: "right word" }')
  const password_file = file('password', 'right word\n')
  await signsIn(optionsOf(byName, { username: 'node', password_file }))
  const wrong = { username: 'node', password_file: file('wrong', 'wrong word') }
  await isRefused(optionsOf(byName, wrong), 'nats.credentials', /refuses user node and the password/)
  await isRefused(optionsOf(byName, {}), 'nats.credentials', /refuses a connection without credentials/)
  const byToken = await serve('authorization { token: "s3cret-token" }')
  await signsIn(optionsOf(byToken, { token_file: file('token', 's3cret-token\n') }))
  const other = { token_file: file('token-wrong', 'another-token') }
  await assert.rejects(connectNats(optionsOf(byToken, other), 'test'), (error: Error) => {
    assert.doesNotMatch(error.message, /another-token/)
    return true
  })
  await isRefused(optionsOf(byToken, other), 'nats.credentials', /refuses the token/)
})

test('an nkey', LIMIT, async () => {
  const [known, stranger] = [nkeys.createUser(), nkeys.createUser()]
  const server = await serve(`authorization { users: [ { nkey: ${known.getPublicKey()} } ] }`)
  const seedFile = (name: string, key: typeof known) => file(name, new TextDecoder().decode(key.getSeed()))
  await signsIn(optionsOf(server, { nkey_file: seedFile('known.nk', known) }))
  const wrong = optionsOf(server, { nkey_file: seedFile('stranger.nk', stranger) })
  await isRefused(wrong, 'nats.credentials', /refuses the nkey of .*stranger\.nk/)
})

type Key = ReturnType<typeof nkeys.createUser>

/** A JSON Web Token as NATS has them: signed by a key of ed25519. */
function jwt(issuer: Key, claims: { name: string; sub: string; nats: object }): string {
  const base64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const issued = {
    jti: claims.name,
    iat: Math.floor(Date.now() / 1000),
    iss: issuer.getPublicKey(),
    ...claims,
  }
  const signed = `${base64({ typ: 'JWT', alg: 'ed25519-nkey' })}.${base64(issued)}`
  return `${signed}.${Buffer.from(issuer.sign(Buffer.from(signed))).toString('base64url')}`
}

function credsOf(user: Key, token: string): string {
  const seed = new TextDecoder().decode(user.getSeed())
  return `-----BEGIN NATS USER JWT-----\n${token}\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n${seed}\n------END USER NKEY SEED------\n`
}

test('a credentials file of a decentralised account', LIMIT, async () => {
  const [operator, account, user] = [nkeys.createOperator(), nkeys.createAccount(), nkeys.createUser()]
  const [operatorId, accountId] = [operator.getPublicKey(), account.getPublicKey()]
  const unlimited = { subs: -1, data: -1, payload: -1 }
  const operatorToken = jwt(operator, {
    name: 'operator',
    sub: operatorId,
    nats: { type: 'operator', version: 2 },
  })
  const accountToken = jwt(operator, {
    name: 'millrace',
    sub: accountId,
    nats: {
      type: 'account',
      version: 2,
      limits: { ...unlimited, conn: -1, leaf: -1, imports: -1, exports: -1, wildcards: true },
    },
  })
  const userToken = jwt(account, {
    name: 'node',
    sub: user.getPublicKey(),
    nats: { type: 'user', version: 2, ...unlimited },
  })
  const preload = `resolver_preload: { ${accountId}: ${accountToken} }`
  const server = await startOwnNats({
    jetstream: false,
    config: `operator: ${operatorToken}\nresolver: MEMORY\n${preload}`,
  })
  servers.push(server)
  await signsIn(optionsOf(server, { creds_file: file('node.creds', credsOf(user, userToken)) }))
  const stranger = nkeys.createUser()
  const wrong = optionsOf(server, { creds_file: file('stranger.creds', credsOf(stranger, userToken)) })
  await isRefused(wrong, 'nats.credentials', /refuses the credentials of .*stranger\.creds/)
})

/** A certificate authority, and what it has signed. */
function certificates(name: string) {
  const at = (suffix: string) => path.join(folder, `${name}-${suffix}`)
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'ignore' })
  const fresh = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  openssl(
    'req',
    '-x509',
    ...fresh,
    '-days',
    '2',
    '-subj',
    `/CN=${name}`,
    '-keyout',
    at('ca.key'),
    '-out',
    at('ca.pem'),
  )
  function signed(who: string, address = '127.0.0.1'): { cert: string; key: string } {
    const [cert, key, request] = [at(`${who}.pem`), at(`${who}.key`), at(`${who}.csr`)]
    const extensions = file(`${name}-${who}.ext`, `subjectAltName=IP:${address}\n`)
    openssl('req', ...fresh, '-subj', `/CN=${who}`, '-keyout', key, '-out', request)
    const authority = ['-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial', '-days', '2']
    openssl('x509', '-req', '-in', request, ...authority, '-extfile', extensions, '-out', cert)
    return { cert, key }
  }
  return { ca: at('ca.pem'), signed }
}

test(
  'TLS: the right authority, another one, a certificate for another address, and one of the client',
  LIMIT,
  async () => {
    const [own, other] = [certificates('own'), certificates('other')]
    const [server, client] = [own.signed('server'), own.signed('client')]
    const block = (more: string) =>
      `tls { cert_file: "${server.cert}", key_file: "${server.key}", ca_file: "${own.ca}" ${more} }`
    const plain = await serve(block(''))
    await signsIn(optionsOf(plain, { tls: { ca_file: own.ca } }))
    await isRefused(optionsOf(plain, { tls: { ca_file: other.ca } }), 'nats.tls', /the TLS connection failed/)
    const elsewhere = own.signed('elsewhere', '127.0.0.2')
    const mistaken = await serve(`tls { cert_file: "${elsewhere.cert}", key_file: "${elsewhere.key}" }`)
    await isRefused(optionsOf(mistaken, { tls: { ca_file: own.ca } }), 'nats.tls', /127\.0\.0\.1 is not in/)
    const mutual = await serve(block(', verify: true'))
    const withCertificate = { ca_file: own.ca, cert_file: client.cert, key_file: client.key }
    await signsIn(optionsOf(mutual, { tls: withCertificate }))
    await assert.rejects(connectNats(optionsOf(mutual, { tls: { ca_file: own.ca } }), 'test'))
    await isRefused(
      optionsOf(mutual, { tls: { ca_file: path.join(folder, 'none.pem') } }),
      'config.ca_file',
      /nats\.tls\.ca_file: .*none\.pem can not be read \(ENOENT\)/,
    )
  },
)

test('TLS before the greeting', LIMIT, async () => {
  const own = certificates('first')
  const { cert, key } = own.signed('server')
  const config = `tls { cert_file: "${cert}", key_file: "${key}", handshake_first: "500ms" }`
  const server = await serve(config)
  await signsIn(optionsOf(server, { tls: { ca_file: own.ca, first: true } }))
})

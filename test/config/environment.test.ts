// Guards the substitution of environment variables: typed where they should be, never able to change the file's structure.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { checkSampling } from '../../runtime/config/sampling-section.js'
import { configText, parse, problemsOf } from './config-text.js'

test('a variable with a default may stand inside a flow map', () => {
  const text = configText({
    extra: 'node: { id: ${HOSTNAME:-local}, cluster_id: "c-${CLUSTER:-a, b: {1}}-d" }\n',
  })
  assert.equal(parse(text).config.node.id, 'local')
  assert.equal(parse(text, { HOSTNAME: 'n7' }).config.node.id, 'n7')
  assert.equal(
    parse(configText({ extra: 'node: { cluster_id: "c-${CLUSTER:-a, b: c #d}-d" }\n' })).config.node
      .cluster_id,
    'c-a, b: c #d-d',
  )
})

test('a value that is wholly one variable is typed as YAML would type it', () => {
  const text = configText({
    extra: 'runtime: { slots: ${SLOTS} }\njournal: { fsync: ${SYNC:-false}, commit_wait: ${WAIT} }\n',
  })
  const { config } = parse(text, { SLOTS: '32', WAIT: '3ms' })
  assert.equal(config.runtime.slots, 32)
  assert.equal(config.journal.fsync, false)
  assert.equal(config.journal.commit_wait, 3)
})

test('a password, a name or a tenant that looks like a number stays the text it is', () => {
  for (const value of ['0123', '1e5', 'true', '~', 'null', '0x10', '12.50']) {
    const text = configText({ backend: 'type: elasticsearch, url: http://x, username: u, password: ${PW}' })
    const { config } = parse(text, { PW: value })
    assert.equal((config.backends['es'] as { password?: string }).password, value)
  }
})

test('a quoted variable is a text', () => {
  assert.match(
    problemsOf(configText({ extra: 'runtime: { slots: "${SLOTS}" }\n' }), { SLOTS: '32' }).lines[0] ?? '',
    /expected a number/,
  )
})

test('a value from the environment cannot add a key, a list or a comment', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, maxLength: 60, unit: 'grapheme' }), (value) => {
      const plain = parse(configText({ extra: 'node:\n  id: x${ID}\n  cluster_id: c\n' }), { ID: value })
      assert.equal(plain.config.node.id, `x${value}`)
      const whole = parse(configText({ extra: 'node: { id: ${ID} }\n' }), { ID: `}\nhttp: #${value}` })
      assert.equal(whole.config.node.id, `}\nhttp: #${value}`)
    }),
    { numRuns: 40 },
  )
})

test('a value from the environment is not looked into for further variables', () => {
  assert.equal(
    parse(configText({ extra: 'node: { id: ${ID} }\n' }), { ID: '${HOME}' }).config.node.id,
    '${HOME}',
  )
})

test('a variable that is not set is told with its place and the way out, together with all other problems', () => {
  const { code, lines } = problemsOf(configText({ extra: 'node:\n  id: "n-${NODE_NAME}"\n  nope: 1\n' }))
  assert.equal(code, 'config.env')
  assert.equal(
    lines[0],
    '6:7: the environment variable NODE_NAME is not set; set it, or write ${NODE_NAME:-default}',
  )
  assert.match(lines[1] ?? '', /^7:3: node\.nope: unknown key/)
  assert.equal(lines.length, 2)
})

test('an empty variable takes the default of :- and is empty without one', () => {
  const text = configText({
    extra: 'node: { id: ${ID:-fallback} }\nsampling: { debug_services: ${DEBUG:-} }\n',
  })
  const { config } = parse(text, { ID: '' })
  assert.equal(config.node.id, 'fallback')
  assert.deepEqual(config.sampling.debug_services, [])
  assert.deepEqual(parse(text, { DEBUG: 'cart, pay,' }).config.sampling.debug_services, ['cart', 'pay'])
})

test('a dollar written twice stands for itself, and what is no variable is refused', () => {
  assert.equal(parse(configText({ extra: 'node: { id: "$${HOME} $5" }\n' })).config.node.id, '${HOME} $5')
  for (const bad of ['${}', '${A-b}', '${A B}', '${A:-${B}}', '${1}']) {
    assert.match(
      problemsOf(configText({ extra: `node: { id: "${bad}" }\n` })).lines[0] ?? '',
      /does not name an environment variable \(they do not nest\); write \$\{NAME\}/,
      bad,
    )
  }
})

test('a variable in a comment or a key is none', () => {
  assert.equal(
    parse(
      `# \${NOPE}\n${configText({ extra: 'sampling: { info: { services: { "${S}": 0.5 } } } # ${NOPE}\n' })}`,
    ).config.sampling.info.services['${S}'],
    0.5,
  )
})

test('columns behind a variable are those of the file', () => {
  const { lines } = problemsOf(configText({ extra: 'node: { id: ${A_LONG_NAME:-x}, nope: 1 }\n' }))
  assert.match(lines[0] ?? '', /^5:32: node\.nope/)
})

test('DEBUG_SERVICES names the services to debug where the file does not; what the file says wins', () => {
  const env = { DEBUG_SERVICES: 'cart, shop/pay' }
  assert.deepEqual(parse(configText(), env).config.sampling.debug_services, ['cart', 'shop/pay'])
  const tiers = configText({ extra: 'sampling: { tiers: { warn: 1 } }\n' })
  assert.deepEqual(parse(tiers, env).config.sampling.debug_services, ['cart', 'shop/pay'])
  const named = configText({ extra: 'sampling: { debug_services: [auth] }\n' })
  assert.deepEqual(parse(named, env).config.sampling.debug_services, ['auth'])
  assert.deepEqual(checkSampling({}, env).debug_services, ['cart', 'shop/pay'])
  assert.deepEqual(parse(configText(), { DEBUG_SERVICES: ' ' }).config.sampling.debug_services, [])
})

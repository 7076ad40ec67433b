// The NATS configuration of the manifests, read by the real nats-server.
import assert from 'node:assert/strict'
import path from 'node:path'
import { test } from 'node:test'
import { findTool, repository, run, skipWithout } from '../k8s/tools.js'

const server = findTool('nats-server')

test('a nats.conf that the server refuses', skipWithout(server, 'nats-server'), () => {
  if (server === undefined) return
  const file = path.join(repository, 'k8s/components/nats/nats.conf')
  const { code, output } = run(server, ['-t', '-c', file], {
    POD_NAME: 'millrace-nats-0',
    NATS_PASSWORD: 'of-a-test',
  })
  assert.equal(code, 0, output)
})

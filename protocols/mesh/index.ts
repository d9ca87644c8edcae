export { checkPrivate, createIdentity, type Identity, loadIdentity } from './identity.ts'

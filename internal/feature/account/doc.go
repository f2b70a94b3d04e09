// Package account keeps who may log in: the primary administrator, additional
// administrators, auditors, resellers and customers (SPEC 1), and the tree of
// tenants that they make: provider, reseller, customer.
//
// An account is an object of kind "account". Resellers and customers own
// themselves, so that a tenant's id is the id of its account; administrators
// and auditors belong to core.Provider.
//
// It never holds a password or any other proof of who somebody is: those are
// kept by the features that declare themselves as a Way in, and end with it.
// It never removes an account that still owns something.
//
// Two rules are not drawn from the tenant tree and are kept here for every
// feature that shows something about accounts (Visible, Managed): additional
// administrators see neither each other's settings nor the primary's, and only
// the primary makes, changes or lets in administrators and auditors.
//
// Ports: Way (every feature through which an account gets in: login, token)
// and Holding (every feature whose objects an account may own: zone).
//
// Annex points: 2690:11.2 (rights), 2690:11.3 (administrators), 2690:11.5
// (identities).
package account

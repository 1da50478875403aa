// Package api is the HTTP edge of SCIM, /scim/v2, on Gin: routes, authentication, media types, limits, the wire
// form of resources, lists and errors. It decides nothing about resources: that is behind [Service]. It knows no
// store and no resource type by name.
package api

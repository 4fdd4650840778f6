/// labctl's own version (Semantic Versioning).
package let labctlVersion = "0.1.0"

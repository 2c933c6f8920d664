# The rank call's messages, for serving/ and the fuzz targets. Their header is seen by rank_proto.cc
# alone; no flags of ours.
set(SHANHUO_RANK_PROTO_DIR ${CMAKE_CURRENT_BINARY_DIR}/proto)
set(SHANHUO_RANK_PROTO ${SHANHUO_RANK_PROTO_DIR}/serving/rank.pb.cc
                       ${SHANHUO_RANK_PROTO_DIR}/serving/rank.pb.h)
file(MAKE_DIRECTORY ${SHANHUO_RANK_PROTO_DIR})
add_custom_command(
  OUTPUT ${SHANHUO_RANK_PROTO}
  COMMAND protobuf::protoc --cpp_out=${SHANHUO_RANK_PROTO_DIR} -I ${CMAKE_SOURCE_DIR}
          serving/rank.proto
  WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
  DEPENDS ${CMAKE_SOURCE_DIR}/serving/rank.proto)
add_library(shanhuo_rank_proto STATIC ${SHANHUO_RANK_PROTO})
target_include_directories(shanhuo_rank_proto SYSTEM PUBLIC ${SHANHUO_RANK_PROTO_DIR})
target_link_libraries(shanhuo_rank_proto PUBLIC protobuf::libprotobuf)
